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
from boxship.engine.images.bridge import stoppable
from boxship.oci.digest import Digest, DigestError, new_hasher
from boxship.solver.operations import HttpSource

Told = Callable[[int, int], None]
"""Hears, from another thread, of bytes so far and in total (0: unknown)."""

_NAMELESS = "download"
_MODE = 0o600


async def fetch(source: HttpSource, directory: str, told: Told, authorization: str = "") -> Digest:
    """Fetch the file into ``directory``; return the digest of what is in it.

    ``authorization`` is for the URL's own host alone.

    InvalidArgumentError: the URL is none, or the file is another than ``checksum`` says;
    NotFoundError: the server has none; UnavailableError: it cannot be reached, or the disk is full.
    """
    file = PlainFile(checked_url(source.url), authorization)
    wanted = _wanted(source)
    found = await stoppable(lambda: _download(file, source, directory, told), file.close)
    if wanted is not None and found != wanted:
        raise InvalidArgumentError(f"digest mismatch {source.url}: {found}, expected {wanted}")
    return found


def _wanted(source: HttpSource) -> Digest | None:
    try:
        return Digest.parse(source.checksum) if source.checksum else None
    except DigestError as error:
        raise InvalidArgumentError(f"--checksum={source.checksum}: {error}") from None


def _download(file: PlainFile, source: HttpSource, directory: str, told: Told) -> Digest:
    file.open()
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
    return Digest(algorithm, hasher.hexdigest())


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
