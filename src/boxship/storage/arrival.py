"""Unpack an archive that has, among others, what a container has written in the words of a layer.

Nothing of it is kept but the files: unlike a layer it is never given back as the tar that it was.
"""

import os
from collections.abc import Iterable

from boxship.base.errors import InvalidArgumentError
from boxship.storage.chunks import Buffer, ChunkReader, TruncatedError
from boxship.storage.recipe import RecipeWriter
from boxship.storage.rights import Rights
from boxship.storage.tar.header import TarError
from boxship.storage.tar.reader import TarReader
from boxship.storage.tree import UnsafePathError
from boxship.storage.unpack import Unpacker

UNPACKED = "diff"


def unpack_arrival(place: str, chunks: Iterable[Buffer], rights: Rights) -> str:
    """Unpack into the directory ``diff`` of ``place``, and return it.

    Whiteouts are as overlayfs wants them. InvalidArgumentError: a bad archive; OSError: the disk.
    """
    target = os.path.join(place, UNPACKED)
    os.mkdir(target, 0o700)
    try:
        with open(os.devnull, "wb", buffering=0) as nowhere:
            Unpacker(place, RecipeWriter(nowhere), rights).run(TarReader(ChunkReader(chunks)))
    except (TarError, TruncatedError, UnsafePathError) as error:
        raise InvalidArgumentError(f"invalid archive of a container: {error}") from error
    return target
