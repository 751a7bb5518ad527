"""Tar archives for tests of the image store, made by Python's tarfile."""

import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Member:
    """One entry; `data` makes it a file unless `type` says otherwise."""

    name: str
    data: bytes = b""
    type: bytes = tarfile.REGTYPE
    link: str = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: float = 1_600_000_000
    device: tuple[int, int] = (0, 0)
    pax: dict[str, str] = field(default_factory=dict)


def directory(name: str, mode: int = 0o755, **more: Any) -> Member:
    return Member(name, type=tarfile.DIRTYPE, mode=mode, **more)


def symlink(name: str, target: str, mode: int = 0o777, **more: Any) -> Member:
    return Member(name, type=tarfile.SYMTYPE, link=target, mode=mode, **more)


def hard_link(name: str, target: str) -> Member:
    return Member(name, type=tarfile.LNKTYPE, link=target)


def tar(*members: Member, format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002
    """Write the members in order."""
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=format, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.type, info.linkname = member.type, member.link
            info.mode, info.uid, info.gid = member.mode, member.uid, member.gid
            info.mtime, info.size = member.mtime, len(member.data)
            info.devmajor, info.devminor = member.device
            info.pax_headers = dict(member.pax)
            archive.addfile(info, io.BytesIO(member.data))
    return out.getvalue()


def pieces(data: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    """Cut `data` into pieces of these sizes; the last takes what is left."""
    at = 0
    for size in sizes:
        yield data[at : at + size]
        at += size
    yield data[at:]
