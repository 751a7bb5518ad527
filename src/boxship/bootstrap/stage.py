"""The system before its packages are configured: their files, dpkg's empty records, and a script.

::

    /bin, /sbin, /lib …        -> usr/…: one tree of programs, as all supported suites have it
    /…                         the files of the base packages, so that dpkg itself can run
    /var/lib/dpkg/             no package known yet
    /usr/sbin/policy-rc.d      no service may start
    /bootstrap/base/*.deb      what dpkg installs, over the same files, in this order
    /bootstrap/extra/*.deb     what apt installs after that
    /bootstrap/run             does it
"""

import io
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from boxship.bootstrap import deb
from boxship.bootstrap.distributions import Target

WORKSHOP = "bootstrap"
SCRIPT = f"/{WORKSHOP}/run"
POLICY = "usr/sbin/policy-rc.d"
FIRST = ("base-passwd", "base-files")
"""Users and directories that the scripts of all other packages rely on."""

_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_LINKS = {"amd64": ("bin", "lib", "lib64", "sbin"), "ppc64el": ("bin", "lib", "lib64", "sbin")}
_COMMON_LINKS = ("bin", "lib", "sbin")

_RUN = f"""\
#!/bin/sh
set -eu
cd /{WORKSHOP}
install() {{ dpkg --force-depends --force-unsafe-io --install "$@"; }}
install {" ".join(f"base/*_{name}.deb" for name in FIRST)}
install base/*.deb
if [ -d extra ]; then
    if command -v apt-get >/dev/null; then
        apt-get -o APT::Sandbox::User=root -o Dir::Etc::SourceList=/dev/null \\
            -o Dir::Etc::SourceParts=/dev/null -o DPkg::Options::=--force-unsafe-io \\
            install --yes --no-install-recommends ./extra/*.deb
    else
        install extra/*.deb
    fi
fi
dpkg --configure --pending
[ -z "$(dpkg --audit)" ]
"""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A package that is here as a file."""

    name: str
    path: str


def stage(base: Sequence[Fetched], extra: Sequence[Fetched], target: Target) -> Iterator[bytes]:
    """Write the tar of the system to be configured. Raise MalformedPackageError."""
    sink = _Sink()
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as out:
        written: set[str] = set()
        for link in _LINKS.get(target.architecture, _COMMON_LINKS):
            out.addfile(_directory(f"usr/{link}"))
            out.addfile(_link(link, f"usr/{link}"))
            written |= {f"usr/{link}", link}
        for package in base:
            with deb.data(package.path) as files:
                for entry in files:
                    _copy(files, entry, out, written)
                    yield from sink.taken()
        for piece in _workshop(base, extra, target):
            if piece.name.rstrip("/") not in written:
                _add(out, piece)
            yield from sink.taken()
    yield from sink.taken()


@dataclass(frozen=True, slots=True)
class _Piece:
    """A file of ours: its content, or where to read it from. A directory ends with a slash."""

    name: str
    content: bytes = b""
    source: str = ""
    mode: int = 0o644


def _workshop(
    base: Sequence[Fetched], extra: Sequence[Fetched], target: Target
) -> Iterator[_Piece]:
    for name in ("info/", "updates/"):
        yield _Piece(f"var/lib/dpkg/{name}")
    for name in ("status", "available"):
        yield _Piece(f"var/lib/dpkg/{name}")
    lines = "".join(f"{source.line}\n" for source in target.sources)
    yield _Piece("etc/apt/sources.list", lines.encode())
    yield _Piece(POLICY, b"#!/bin/sh\nexit 101\n", mode=0o755)
    yield _Piece(f"{WORKSHOP}/")
    yield _Piece(SCRIPT.lstrip("/"), _RUN.encode(), mode=0o755)
    for directory, packages in (("base", base), ("extra", extra)):
        if packages:
            yield _Piece(f"{WORKSHOP}/{directory}/")
        for number, package in enumerate(packages):
            path = f"{WORKSHOP}/{directory}/{number:04}_{package.name}.deb"
            yield _Piece(path, source=package.path)


def _copy(
    files: tarfile.TarFile, entry: tarfile.TarInfo, out: tarfile.TarFile, written: set[str]
) -> None:
    """Copy an entry of a package below /usr where it belongs there."""
    entry.name = _merged(entry.name)
    if entry.islnk():
        entry.linkname = _merged(entry.linkname)
    if not entry.name or entry.name in written:  # dockerd takes each path once
        return
    written.add(entry.name)
    out.addfile(entry, files.extractfile(entry) if entry.isreg() else None)


def _merged(name: str) -> str:
    name = name.removeprefix("./").removeprefix("/").removesuffix("/")
    first, slash, _ = name.partition("/")
    return f"usr/{name}" if slash and first in _MERGED else name.removeprefix(".")


def _add(out: tarfile.TarFile, piece: _Piece) -> None:
    if piece.name.endswith("/"):
        out.addfile(_directory(piece.name.rstrip("/")))
        return
    entry = tarfile.TarInfo(piece.name)
    entry.mode = piece.mode
    if not piece.source:
        entry.size = len(piece.content)
        out.addfile(entry, io.BytesIO(piece.content))
        return
    with open(piece.source, "rb") as stream:
        entry.size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        out.addfile(entry, stream)


def _directory(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    return entry


def _link(name: str, target: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, target, 0o777
    return entry


class _Sink(io.RawIOBase):
    """Where ``tarfile`` writes, and a generator takes from."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        self._pieces.append(bytes(data))
        return len(data)

    def taken(self) -> Iterable[bytes]:
        pieces, self._pieces = self._pieces, []
        return pieces
