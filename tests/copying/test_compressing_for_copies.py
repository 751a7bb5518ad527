"""What is compressed on its way does not depend on how it comes."""

import gzip
import random
from pathlib import Path

import pytest

from boxship.copying.compressing import _compress
from boxship.oci.image import Descriptor

CHANCE = random.Random(1)
WORDS = [CHANCE.randbytes(CHANCE.randrange(2, 20)) for _ in range(5000)]
CONTENT = b"".join(CHANCE.choices(WORDS, k=250_000))
PLAIN = Descriptor("application/vnd.oci.image.layer.v1.tar", "sha256:none", len(CONTENT))


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1 << 20, (1 << 20) + 16, len(CONTENT)])
def test_the_cuts_of_the_source_do_not_change_it(tmp_path: Path, size: int) -> None:
    made = set()
    for number, cut in enumerate((7, 1000, 65_536, 1 << 20, 3 << 20)):
        if cut == 7 and size > 1000:
            continue
        pieces = (CONTENT[at : min(at + cut, size)] for at in range(0, size, cut))
        path = tmp_path / str(number)
        made.add(_compress(iter(pieces), str(path), PLAIN))
        assert gzip.decompress(path.read_bytes()) == CONTENT[:size]
    assert len(made) == 1
