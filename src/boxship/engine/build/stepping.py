"""Give a step what it needs beside its inputs, and say where in the Dockerfile it failed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from boxship.base.clock import format_ns
from boxship.base.errors import (
    BoxshipError,
    InvalidArgumentError,
    NotFoundError,
    StartRefusedError,
)
from boxship.dockerfile.places import Range
from boxship.engine.build.clientside import ClientSide, SshAgent
from boxship.engine.build.executing import Executor, StepExitError
from boxship.engine.build.failures import MissingSourceError, Place, StepFailedError
from boxship.engine.build.files.globbing import has_wildcards
from boxship.engine.build.foreign import with_hint
from boxship.engine.build.reporting import Reporter
from boxship.engine.build.results import Result
from boxship.engine.build.trees import Extras
from boxship.engine.images.service import ImageService
from boxship.oci import platform as platforms
from boxship.oci.digest import Digest
from boxship.oci.image import Image, ImageConfig, RootFS, encode
from boxship.oci.platform import Platform
from boxship.solver.graph import Vertex
from boxship.solver.operations import Copy, Exec, FileActions, Limits, SecretMount, SshMount
from boxship.storage.layers import Layer, Lease


@dataclass(frozen=True, slots=True)
class Stepper:
    """Carries out the steps of one build."""

    executor: Executor
    images: ImageService
    client: ClientSide
    lease: Lease
    report: Reporter
    place: Callable[[Range], Place]
    limits: Limits
    proxies: tuple[str, ...] = ()
    latest_ns: int | None = None
    keep_failed: bool = False
    classic: bool = False
    platforms: Mapping[Digest, Platform] = field(default_factory=dict)
    """What steps are for, where it is known."""

    async def carry_out(self, vertex: Vertex[Range], inputs: Sequence[Result]) -> Layer:
        """Return the new layer. StepFailedError: anything that is not the machine's fault."""
        trees = [result.tree for result in inputs]
        operation = vertex.operation
        try:
            if isinstance(operation, Exec):
                extras = await self._extras(operation)
                return await self.executor.run(
                    operation, trees, extras, self.lease, self._told(vertex.digest)
                )
            assert isinstance(operation, FileActions)
            return await self.executor.files(operation, trees, self.lease, self.latest_ns)
        except StartRefusedError as error:
            assert isinstance(operation, Exec)
            platform = self.platforms.get(vertex.digest)
            message = with_hint(str(error), platform, platforms.host())
            raise self._exited(vertex, operation, message, error.exit_code) from error
        except StepExitError as error:
            assert isinstance(operation, Exec)
            kept = await self._kept(operation, inputs, error)
            raise self._exited(vertex, operation, str(error), error.exit_code, kept) from error
        except MissingSourceError as error:
            message = _classic_words(vertex, error, inputs) if self.classic else str(error)
            raise self._failed(vertex, message) from error
        except (InvalidArgumentError, NotFoundError) as error:
            raise self._failed(vertex, str(error)) from error

    def refused(self, vertex: Vertex[Range], error: BoxshipError) -> BoxshipError:
        """Return the error of a step that could not even be looked for, with its place."""
        return self._failed(vertex, str(error))

    async def _kept(self, operation: Exec, inputs: Sequence[Result], error: StepExitError) -> str:
        """Make an image of what a failed step has left, to look into; return its id, if asked."""
        if not self.keep_failed or error.layer is None:
            return ""
        root = Result() if operation.root is None else inputs[operation.root]
        layers = (*root.stack, error.layer.digest)
        host = platforms.host()
        image = Image(
            architecture=host.architecture,
            os=host.os,
            variant=host.variant,
            created=format_ns(self.report.clock.now_ns()),
            config=ImageConfig(
                user=operation.user,
                env=operation.env,
                cmd=("/bin/sh",),
                working_dir=operation.cwd,
            ),
            rootfs=RootFS(diff_ids=tuple(map(str, layers))),
        )
        return str(await self.images.add_built(encode(image), layers, ()))

    def _told(self, vertex: Digest) -> Callable[[int, bytes], None]:
        return lambda stream, data: self.report.log(vertex, stream, data)

    async def _extras(self, operation: Exec) -> Extras:
        secrets: dict[str, bytes] = {}
        agents: dict[str, SshAgent] = {}
        for mount in operation.mounts:
            if isinstance(mount, SecretMount):
                value = await self.client.secret(mount.id)
                if value is not None:
                    secrets[mount.id] = value
                elif mount.required:
                    raise NotFoundError(f"secret {mount.id}: not found")
            elif isinstance(mount, SshMount):
                agent = await self.client.ssh(mount.id)
                if agent is not None:
                    agents[mount.id] = agent
                elif mount.required:
                    raise NotFoundError(f"ssh agent {mount.id}: not forwarded by the client")
        return Extras(
            limits=self.limits,
            secrets=secrets,
            agents=agents,
            environment=self.proxies,
            latest_ns=self.latest_ns,
            keep_failed=self.keep_failed,
        )

    def _exited(
        self,
        vertex: Vertex[Range],
        operation: Exec,
        message: str,
        exit_code: int,
        kept_image: str = "",
    ) -> StepFailedError:
        command = " ".join(operation.args)
        return StepFailedError(
            f'process "{command}" did not complete successfully: {message}',
            vertex=vertex.digest,
            command=command,
            exit_code=exit_code,
            place=self._place(vertex),
            kept_image=kept_image,
        )

    def _failed(self, vertex: Vertex[Range], message: str) -> BoxshipError:
        return StepFailedError(message, vertex=vertex.digest, place=self._place(vertex))

    def _place(self, vertex: Vertex[Range]) -> Place | None:
        return None if vertex.place is None else self.place(vertex.place)


def _classic_words(
    vertex: Vertex[Range], error: MissingSourceError, inputs: Sequence[Result]
) -> str:
    """Say that a source is missing as the classic builder does."""
    assert isinstance(vertex.operation, FileActions)
    copies = [each for each in vertex.operation.actions if isinstance(each, Copy)]
    keyword = "ADD" if any(each.unpack for each in copies) else "COPY"
    if has_wildcards(error.path):
        return f"{keyword} failed: no source files were specified"
    from_context = any(c.input is not None and inputs[c.input].directory for c in copies)
    where = "file not found in build context or excluded by .dockerignore: "
    path = error.path.lstrip("/")
    return f"{keyword} failed: {where if from_context else ''}stat {path}: file does not exist"
