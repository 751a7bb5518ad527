"""A context as a file: what ``context export`` writes and ``import`` reads.

::

    meta.json                                     as in the store
    tls/docker/ca.pem, cert.pem, key.pem          those that there are

A tar archive, or a zip with the same files. Of an archive nothing is unpacked by its names: they
are looked at, and those that are none of these are refused.
"""

import io
import json
import re
import tarfile
import zipfile
from collections.abc import Iterator, Mapping

from boxship.base.errors import InvalidArgumentError
from boxship.client.contexts import Document, TlsData

_MOST = 10 << 20
_TLS = re.compile(r"tls/([a-zA-Z0-9][\w.-]*)/([a-zA-Z0-9][\w.-]*)", re.ASCII)


def packed(document: Document, tls: Mapping[str, TlsData]) -> bytes:
    """Return a context as a tar archive, the same bytes for the same context."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        _add(tar, "meta.json", text.encode(), 0o644)
        if tls:
            _add_directory(tar, "tls")
        for endpoint, files in sorted(tls.items()):
            _add_directory(tar, f"tls/{endpoint}")
            for name, data in sorted(files.items()):
                _add(tar, f"tls/{endpoint}/{name}", data, 0o600)
    return output.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), mode
    tar.addfile(member, io.BytesIO(data))


def _add_directory(tar: tarfile.TarFile, name: str) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o700
    tar.addfile(member)


def unpacked(archive: bytes, name: str) -> tuple[Document, dict[str, dict[str, bytes]]]:
    """Return the document, now called ``name``, and the PEM files of an archive.

    InvalidArgumentError: it is none, or there is something else in it.
    """
    document: Document | None = None
    tls: dict[str, dict[str, bytes]] = {}
    for path, data in _members(archive):
        match = _TLS.fullmatch(path)
        if path == "meta.json":
            document = _document(data)
        elif match is not None:
            tls.setdefault(match[1], {})[match[2]] = data
        else:
            raise InvalidArgumentError(f"the archive of a context has no place for {path!r}")
    if document is None:
        raise InvalidArgumentError("invalid context: no metadata found")
    return {"Name": name} | document | {"Name": name}, tls


def _document(data: bytes) -> Document:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise InvalidArgumentError(f"invalid context: meta.json: {error}") from error
    if not isinstance(document, dict):
        raise InvalidArgumentError("invalid context: meta.json: a JSON object is needed")
    return document


def _members(archive: bytes) -> Iterator[tuple[str, bytes]]:
    if len(archive) > _MOST:
        raise InvalidArgumentError("the archive of a context has 10 MiB at most")
    opened = _of_zip if zipfile.is_zipfile(io.BytesIO(archive)) else _of_tar
    try:
        yield from opened(archive)
    except (tarfile.TarError, zipfile.BadZipFile, RuntimeError) as error:  # RuntimeError: zip's own
        raise InvalidArgumentError(f"neither a tar nor a zip of a context: {error}") from error


def _of_tar(archive: bytes) -> Iterator[tuple[str, bytes]]:
    # Docker's client leaves out the end of its archives, and what fills up the last file's block.
    with tarfile.open(fileobj=io.BytesIO(archive + bytes(3 * tarfile.BLOCKSIZE))) as tar:
        for member in tar:
            if member.isdir():
                continue
            file = tar.extractfile(member) if member.isreg() else None
            if file is None or member.size > _MOST:
                raise InvalidArgumentError(f"{member.name!r} is no file of a context")
            yield member.name, file.read()


def _of_zip(archive: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        for member in opened.infolist():
            if member.is_dir():
                continue
            if member.file_size > _MOST:
                raise InvalidArgumentError(f"{member.filename!r} is no file of a context")
            yield member.filename, opened.read(member)
