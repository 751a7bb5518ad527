"""``ADD https://…``: one file, under the name that its server or its URL gives it.

As in BuildKit it is for its owner alone (0600) and as old as its server says, or from 1970.
"""

import email.message
import email.utils
import os
import posixpath
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from boxship.base.errors import InvalidArgumentError, UnavailableError
from boxship.distribution.plainfile import PlainFile, checked_url
from boxship.engine.build.downloads import Download, Downloads, key_of
from boxship.engine.images.bridge import in_thread, stoppable
from boxship.oci.digest import Digest, DigestError, new_hasher
from boxship.solver.operations import HttpSource

Told = Callable[[int, int], None]
"""Hears, from another thread, of bytes so far and in total (0: unknown)."""

_NAMELESS = "download"
_MODE = 0o600


async def fetch(
    source: HttpSource,
    directory: str,
    told: Told,
    authorization: str = "",
    downloads: Downloads | None = None,
) -> Digest:
    """Fetch the file into ``directory``; return the digest of what is in it.

    ``authorization`` is for the URL's own host alone. A file that is among ``downloads`` comes only
    if the server has another one by now.

    InvalidArgumentError: the URL is none, or the file is another than ``checksum`` says;
    NotFoundError: the server has none; UnavailableError: it cannot be reached, or the disk is full.
    """
    url, wanted = checked_url(source.url), _wanted(source)
    key, kept = key_of(url, authorization), None
    if downloads is not None and wanted is None:
        kept = await in_thread(lambda: downloads.find(key))
    if kept is not None and downloads is not None:
        asked = PlainFile(url, authorization, kept.conditions)
        found = await stoppable(
            lambda: _changed(asked, source, directory, told, (key, kept, downloads)), asked.close
        )
        if found is not None:
            return found
    file = PlainFile(url, authorization)
    found = await stoppable(
        lambda: _download(file, source, directory, told, (key, downloads)), file.close
    )
    if wanted is not None and found != wanted:
        raise InvalidArgumentError(f"digest mismatch {source.url}: {found}, expected {wanted}")
    return found


def _wanted(source: HttpSource) -> Digest | None:
    try:
        return Digest.parse(source.checksum) if source.checksum else None
    except DigestError as error:
        raise InvalidArgumentError(f"--checksum={source.checksum}: {error}") from None


def _changed(
    file: PlainFile,
    source: HttpSource,
    directory: str,
    told: Told,
    kept: tuple[str, Download, Downloads],
) -> Digest | None:
    """Take the file that is kept if the server has no other one; None: it is not whole any more."""
    key, download, downloads = kept
    if file.open():
        return _received(file, source, directory, told, (key, downloads))
    path = os.path.join(directory, source.filename or download.name)
    return Digest.parse(download.digest) if downloads.take(key, download, path) else None


def _download(
    file: PlainFile,
    source: HttpSource,
    directory: str,
    told: Told,
    keeping: tuple[str, Downloads | None],
) -> Digest:
    file.open()
    return _received(file, source, directory, told, keeping)


def _received(
    file: PlainFile,
    source: HttpSource,
    directory: str,
    told: Told,
    keeping: tuple[str, Downloads | None],
) -> Digest:
    name = source.filename or _name(file)
    algorithm = source.checksum.partition(":")[0] or "sha256"
    hasher = new_hasher(algorithm)
    path = os.path.join(directory, name)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as target:
            for piece in file.pieces(told):
                hasher.update(piece)
                target.write(piece)
    except OSError as error:
        raise UnavailableError(f"{source.url} cannot be stored: {error}") from error
    modified = _modified(file)
    os.utime(path, (modified, modified))
    found = Digest(algorithm, hasher.hexdigest())
    key, downloads = keeping
    if downloads is not None and not source.checksum:
        etag, date = file.header("ETag"), file.header("Last-Modified")
        downloads.keep(key, Download(_name(file), str(found), etag, date), path)
    return found


def _name(file: PlainFile) -> str:
    """Return the file's name: the server's, else the URL's; never a path."""
    header = email.message.Message()
    header["Content-Disposition"] = file.header("Content-Disposition")
    for text in (header.get_filename(""), unquote(urlsplit(file.url).path)):
        name = posixpath.basename(text.rstrip("/"))
        if name not in ("", ".", "..") and "\0" not in name:
            return name
    return _NAMELESS


def _modified(file: PlainFile) -> float:
    try:
        return email.utils.parsedate_to_datetime(file.header("Last-Modified")).timestamp()
    except (TypeError, ValueError):
        return 0.0
