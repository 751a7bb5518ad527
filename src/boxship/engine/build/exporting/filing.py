"""The files of a result, as a tar or in a directory."""

import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import chain

from boxship.oci.digest import Digest
from boxship.storage.archiving import stack_pieces
from boxship.storage.chunks import Buffer, coalesced
from boxship.storage.flatten import flatten
from boxship.storage.storage import Storage
from boxship.storage.tar import writer


class Files:
    """One platform's tree, and files beside it; ``prefix`` is its directory, empty: the top."""

    def __init__(
        self, storage: Storage, layers: Sequence[Digest], prefix: str, more: Mapping[str, bytes]
    ) -> None:
        self._opaque = storage.rights.opaque
        trees = (storage.layers.diff_directory(layer) for layer in reversed(layers))
        self._trees = tuple(dict.fromkeys(trees))
        self._prefix = prefix
        self._more = more

    def pieces(self, latest_ns: int | None) -> Iterator[Buffer]:
        """Yield entries of a tar; blocking."""
        if self._prefix:
            yield writer.directory_header(f"{self._prefix}/")
        if self._trees:
            prefix = os.fsencode(self._prefix)
            yield from stack_pieces(self._trees, self._opaque, prefix, latest_ns)
        for name, data in self._more.items():
            path = os.path.join(self._prefix, name)
            yield writer.file_header(path, len(data))
            yield data
            yield writer.padding(len(data))

    def write(self, directory: str) -> None:
        """Put all of it into a directory; blocking. Files are the store's own: read them."""
        place = directory
        if self._prefix:
            os.makedirs(directory, exist_ok=True)
            place = os.path.join(directory, self._prefix)
        if self._trees:
            flatten(self._trees, place, self._opaque, link=True)
        else:
            os.mkdir(place)
        for name, data in self._more.items():
            with open(os.path.join(place, name), "wb") as file:
                file.write(data)


def tar(parts: Sequence[Files], latest_ns: int | None) -> Generator[Buffer, None, None]:
    """Write a tar of all parts; blocking."""
    pieces = chain.from_iterable(part.pieces(latest_ns) for part in parts)
    yield from coalesced(chain(pieces, (writer.END,)))
