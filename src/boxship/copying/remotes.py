"""Images of registries: what is there is not sent, a sibling repository's blobs are mounted."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

from boxship.base.errors import InvalidArgumentError
from boxship.copying.compressing import Compressed
from boxship.copying.content import Buffer, Document, NoSuchImageError, Progress, Source, Told
from boxship.copying.plan import Plan
from boxship.distribution.cancel import Cancel
from boxship.distribution.errors import RegistryNotFoundError
from boxship.distribution.repository import Repository
from boxship.oci.digest import Digest
from boxship.oci.image import Descriptor
from boxship.oci.reference import Reference

_AT_ONCE = 3


class RegistrySource:
    """A repository to read from."""

    def __init__(self, repository: Repository, name: Reference, cancel: Cancel) -> None:
        self.repository = repository
        self.name = name
        self._cancel = cancel

    def root(self) -> Document:
        try:
            found = self.repository.manifest(self.name.digest or self.name.tag, self._cancel)
        except RegistryNotFoundError as error:
            raise NoSuchImageError(f"{self.name}: {error}") from error
        return Document(found.media_type, found.data)

    def document(self, descriptor: Descriptor) -> Document:
        found = self.repository.manifest(Digest.parse(descriptor.digest), self._cancel)
        return Document(descriptor.media_type or found.media_type, found.data)

    def blob(self, descriptor: Descriptor, cancel: Cancel) -> Iterator[Buffer]:
        return self.repository.blob(descriptor, cancel)

    def close(self) -> None: ...


class RegistryDestination:
    """A repository to write to, a few blobs at once. ``scratch`` is for layers in compression."""

    def __init__(self, repository: Repository, name: Reference, scratch: str) -> None:
        self._repository = repository
        self._name = name
        self._scratch = scratch

    def receive(self, plan: Plan, source: Source, told: Told, cancel: Cancel) -> Digest:
        compressed = Compressed.of(plan, source, self._scratch, told, cancel)
        plan, contents = compressed.plan, compressed
        target = self._name.digest or self._name.tag
        if self._name.digest not in (None, plan.root.digest):
            raise InvalidArgumentError(
                f"the image's digest is {plan.root.digest}: it cannot be copied to {self._name}"
            )
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="copy") as pool:
            sending = [
                pool.submit(self._send, one, contents, Progress(told, one), cancel)
                for one in plan.blobs
            ]
            try:
                for done in as_completed(sending):
                    done.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                cancel.cancel()
                raise
        for document in plan.documents:
            root = document is plan.root
            name = target if root else document.digest
            self._repository.put_manifest(name, document.media_type, document.data, cancel)
        return plan.root.digest

    def _send(
        self, descriptor: Descriptor, source: Compressed, progress: Progress, cancel: Cancel
    ) -> None:
        digest = Digest.parse(descriptor.digest)
        if self._repository.has_blob(digest, cancel) is not None:
            progress.say("Already exists")
            return
        sibling = self._sibling(source.origin)
        if sibling and self._repository.mount(digest, sibling, cancel):
            progress.say(f"Mounted from {sibling}")
            return
        pieces = progress.passing(source.blob(descriptor, cancel))
        self._repository.upload(pieces, cancel, digest=digest, size=descriptor.size)

    def _sibling(self, source: Source) -> str:
        """The path of the source's repository if the same registry has it."""
        if isinstance(source, RegistrySource) and source.name.domain == self._name.domain:
            return source.name.path
        return ""
