"""What a place must be able to do, and the errors of all of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from boxship.base.errors import InvalidArgumentError, NotFoundError, UnavailableError
from boxship.distribution.cancel import Cancel
from boxship.oci.digest import Digest
from boxship.oci.image import Descriptor

Buffer = bytes | bytearray | memoryview


class NoSuchImageError(NotFoundError):
    """The place has no image of that name."""


class MalformedPlaceError(InvalidArgumentError):
    """The archive or layout is not what it claims to be."""


class DamagedContentError(UnavailableError):
    """Bytes do not have the digest under which they are kept."""


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or index, byte for byte."""

    media_type: str
    data: bytes

    @property
    def digest(self) -> Digest:
        return Digest.of(self.data)

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor(self.media_type, str(self.digest), len(self.data))


class Source(Protocol):
    """A place that has an image."""

    def root(self) -> Document:
        """The manifest or index that the name stands for. NoSuchImageError."""

    def document(self, descriptor: Descriptor) -> Document:
        """A manifest that an index names."""

    def blob(self, descriptor: Descriptor, cancel: Cancel) -> Iterator[Buffer]:
        """A config or layer in pieces. Called from several threads at once."""

    def close(self) -> None: ...


Told = Callable[[str, str, int, int], None]
"""Called with what it is about, what happens to it, and the bytes done and in total."""


class Progress:
    """Tells of one piece of content while it passes by."""

    _STEP = 1 << 20

    def __init__(self, told: Told, descriptor: Descriptor) -> None:
        self._told = told
        self._name = Digest.parse(descriptor.digest).short
        self._total = descriptor.size

    def passing(self, pieces: Iterator[Buffer], status: str = "Copying") -> Iterator[Buffer]:
        done = before = 0
        self._told(self._name, status, 0, self._total)
        for piece in pieces:
            yield piece
            done += len(piece)
            if done - before >= self._STEP:
                before = done
                self._told(self._name, status, done, self._total)
        self._told(self._name, status, self._total, self._total)

    def say(self, status: str) -> None:
        """Something that takes no time."""
        self._told(self._name, status, 0, 0)


def check_cancelled(cancel: Cancel, pieces: Iterator[Buffer]) -> Iterator[Buffer]:
    """End where somebody has lost interest."""
    for piece in pieces:
        cancel.check()
        yield piece
