"""What a layer's tree must look like: it is unpacked once more from the recipe, without contents.

Files have their sizes and no data, so that costs inodes and next to no space. Rejected: comparing
headers with inodes one by one; what an entry means depends on those before and after it (links in
its path, replaced files, whiteouts, hard links that change modes), which is the unpacker's art.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from boxship.storage.chunks import ChunkReader
from boxship.storage.recipe import RecipeWriter, outline
from boxship.storage.rights import Rights
from boxship.storage.root import StorageRoot
from boxship.storage.tar.reader import TarReader
from boxship.storage.unpack import Unpacked, Unpacker


@contextmanager
def unpacked_outline(
    root: StorageRoot, layer: str, rights: Rights
) -> Iterator[tuple[str, Unpacked]]:
    """Own a tree like that of the layer in directory ``layer``, but for its files' contents.

    Raise DamagedLayerError or TarError if the recipe is no good.
    """
    with root.temporary() as place, open(os.devnull, "wb") as nowhere:
        os.mkdir(os.path.join(place, "diff"), 0o755)
        unpacker = Unpacker(place, RecipeWriter(nowhere), rights, contents=False)
        unpacked = unpacker.run(TarReader(ChunkReader(outline(layer))))
        yield os.path.join(place, "diff"), unpacked
