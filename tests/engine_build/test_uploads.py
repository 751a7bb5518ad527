"""Contexts that come as archives: what is in them stays in them, and nothing stays behind."""

import asyncio
import bz2
import gzip
import lzma
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest
import zstandard

from boxship.api.http.body import ClientGoneError
from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.temporary import temporary
from boxship.engine.build.uploads import Uploads
from boxship.storage.storage import Storage
from support.tars import Member, directory, hard_link, symlink, tar

pytestmark = pytest.mark.privileged

CONTEXT = tar(
    Member("Dockerfile", b"FROM scratch\n", uid=1000, gid=1000), directory("a"), Member("a/b")
)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.open(str(tmp_path / "data"))


def unpack(storage: Storage, data: bytes, look: Callable[[Path], object]) -> object:
    """What `look` says of the directory; afterwards it is gone."""

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 997):
            yield data[at : at + 997]

    async def run() -> object:
        async with Uploads(storage).unpacked(chunks()) as path:
            return look(Path(path))

    try:
        return asyncio.run(run())
    finally:
        storage.disposal.settle()
        assert storage.root.left_over() == []


def names(path: Path) -> list[str]:
    return sorted(str(one.relative_to(path)) for one in path.rglob("*"))


@pytest.mark.parametrize(
    "compress",
    [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress],
)
def test_an_archive_is_unpacked(storage: Storage, compress: Callable[[bytes], bytes]) -> None:
    assert unpack(storage, compress(CONTEXT), names) == ["Dockerfile", "a", "a/b"]


def test_files_are_roots(storage: Storage) -> None:
    found = unpack(storage, CONTEXT, lambda path: os.lstat(path / "Dockerfile"))
    assert isinstance(found, os.stat_result)
    assert (found.st_uid, found.st_gid, found.st_mtime) == (0, 0, 1_600_000_000)


def test_no_body_is_an_empty_context(storage: Storage) -> None:
    assert unpack(storage, b"", names) == []


@pytest.mark.parametrize(
    ("members", "stays"),
    [
        ([Member("/evil", b"x")], ["evil"]),
        ([symlink("l", "../../.."), Member("l/pwned", b"x")], ["l", "pwned"]),
        ([symlink("l", "/etc/passwd")], ["l"]),
    ],
)
def test_nothing_leads_out(storage: Storage, members: list[Member], stays: list[str]) -> None:
    assert unpack(storage, tar(*members), names) == stays


@pytest.mark.parametrize(
    "data",
    [
        tar(Member("../evil", b"x")),
        tar(hard_link("h", "../../etc/passwd")),
        b"hello world" * 200,
        tar(symlink("l", "/tmp"), Member("l/pwned", b"x")),
        CONTEXT[:518],
        gzip.compress(CONTEXT)[:-20],
        gzip.compress(CONTEXT)[:40] + b"damaged" + gzip.compress(CONTEXT)[47:],
    ],
    ids=["name", "link", "dangling", "no-tar", "ends-early", "compressed-ends-early", "damaged"],
)
def test_archives_that_lie_are_refused(storage: Storage, data: bytes) -> None:
    with pytest.raises(InvalidArgumentError, match="Error processing tar file"):
        unpack(storage, data, names)


def test_a_client_that_goes_away_leaves_nothing(storage: Storage) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield CONTEXT[:600]
        raise ClientGoneError("the client has gone")

    async def run() -> None:
        async with Uploads(storage).unpacked(chunks()):
            pytest.fail("it was not complete")

    with pytest.raises(ClientGoneError):
        asyncio.run(run())
    storage.disposal.settle()
    assert storage.root.left_over() == []


def test_a_directory_goes_although_its_owner_went_while_it_was_made(tmp_path: Path) -> None:
    making, go_on = threading.Event(), threading.Event()
    disposed: list[str] = []

    class Slow:
        def new_temporary(self) -> str:
            (tmp_path / "made").mkdir()
            making.set()
            go_on.wait()
            return str(tmp_path / "made")

    class Noting:
        def add(self, paths: Iterable[str]) -> None:
            disposed.extend(paths)

    async def own() -> None:
        async with temporary(Slow(), Noting()):  # type: ignore[arg-type]
            raise AssertionError("it was called off")

    async def call_off() -> None:
        owning = asyncio.ensure_future(own())
        await asyncio.to_thread(making.wait)
        owning.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await owning

    asyncio.run(call_off())
    assert disposed == [str(tmp_path / "made")]
