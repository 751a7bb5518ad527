"""Give a step what it needs beside its inputs, and say where in the Dockerfile it failed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from boxship.base.errors import BoxshipError, InvalidArgumentError, NotFoundError
from boxship.dockerfile.places import Range
from boxship.engine.build.clientside import ClientSide, SshAgent
from boxship.engine.build.executing import Executor, StepExitError
from boxship.engine.build.failures import Place, StepFailedError
from boxship.engine.build.reporting import Reporter
from boxship.engine.build.results import Result
from boxship.engine.build.trees import Extras
from boxship.oci.digest import Digest
from boxship.solver.graph import Vertex
from boxship.solver.operations import Exec, FileActions, Limits, SecretMount, SshMount
from boxship.storage.layers import Layer, Lease


@dataclass(frozen=True, slots=True)
class Stepper:
    """Carries out the steps of one build."""

    executor: Executor
    client: ClientSide
    lease: Lease
    report: Reporter
    place: Callable[[Range], Place]
    limits: Limits
    proxies: tuple[str, ...] = ()
    latest_ns: int | None = None
    classic: bool = False

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
        except StepExitError as error:
            assert isinstance(operation, Exec)
            raise self._exited(vertex, operation, error) from error
        except (InvalidArgumentError, NotFoundError) as error:
            raise self._failed(vertex, str(error)) from error

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
        )

    def _exited(
        self, vertex: Vertex[Range], operation: Exec, error: StepExitError
    ) -> StepFailedError:
        command = " ".join(operation.args)
        return StepFailedError(
            f'process "{command}" did not complete successfully: {error}',
            vertex=vertex.digest,
            command=command,
            exit_code=error.exit_code,
            place=self._place(vertex),
        )

    def _failed(self, vertex: Vertex[Range], message: str) -> BoxshipError:
        return StepFailedError(message, vertex=vertex.digest, place=self._place(vertex))

    def _place(self, vertex: Vertex[Range]) -> Place | None:
        return None if vertex.place is None else self.place(vertex.place)
