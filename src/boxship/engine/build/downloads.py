"""Files of ``ADD https://…``, kept so that what has not changed need not come again.

::

    <data-root>/downloads/<key>          what the server said of a file: ETag, date; its digest
                          <key>-<hex>    the file

The server is asked each time; only if it says that nothing has changed, the file that is here is
taken, and only if it still is what came. A key is of a URL and of what allows to read it.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256

import msgspec

from boxship.oci.digest import Digest, new_hasher
from boxship.storage.chunks import CHUNK


class Download(msgspec.Struct, frozen=True):
    """A file as it came. ``etag`` and ``modified`` are what the server said, word by word."""

    name: str
    digest: str
    etag: str = ""
    modified: str = ""

    @property
    def conditions(self) -> dict[str, str]:
        """Headers that ask for the file only if it is another one now."""
        found = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in found.items() if value}


def key_of(url: str, authorization: str) -> str:
    """Name a file by where it is from and what it was fetched with."""
    return sha256(f"{url}\n{authorization}".encode()).hexdigest()


class Downloads:
    """The files of all builds. Its methods block; a disk that fails means that nothing is kept."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def find(self, key: str) -> Download | None:
        """Return what is kept of a key."""
        try:
            with open(self._about(key), "rb") as file:
                return msgspec.json.decode(file.read(), type=Download)
        except (OSError, msgspec.DecodeError):
            return None

    def take(self, key: str, download: Download, path: str) -> bool:
        """Put the file at ``path``; False: it is not there any more as it came."""
        digest = Digest.parse(download.digest)
        try:
            os.link(self._file(key, digest), path)
            if _digest(path, digest.algorithm) == digest:
                with suppress(OSError):
                    os.utime(self._about(key))
                return True
            os.unlink(path)
        except OSError:
            pass
        return False

    def keep(self, key: str, download: Download, path: str) -> None:
        """Keep a file in place of the one that was kept; nobody may write to it from now on."""
        if not download.conditions:
            return
        before, digest = self.find(key), Digest.parse(download.digest)
        with suppress(OSError):
            os.makedirs(self._directory, 0o700, exist_ok=True)
            _remove(self._file(key, digest))  # it may have been damaged
            os.link(path, self._file(key, digest))
            beside = f"{self._about(key)}.{os.urandom(4).hex()}.new"
            try:
                with open(beside, "wb") as file:
                    file.write(msgspec.json.encode(download))
                os.rename(beside, self._about(key))
            finally:
                _remove(beside)
            if before is not None and before.digest != download.digest:
                _remove(self._file(key, Digest.parse(before.digest)))

    def all(self) -> Iterator[tuple[str, os.stat_result, int]]:
        """Yield keys, when they were used (the times of it), and how many bytes they have."""
        with suppress(OSError):
            for key in sorted(os.listdir(self._directory)):
                found = self.find(key)
                if found is not None:
                    with suppress(OSError):
                        file = os.stat(self._file(key, Digest.parse(found.digest)))
                        yield key, os.stat(self._about(key)), file.st_size

    def remove(self, key: str) -> bool:
        """Let a file go; builds that have taken it keep it. False: there is none."""
        found = self.find(key)
        if found is None:
            return False
        _remove(self._about(key))
        _remove(self._file(key, Digest.parse(found.digest)))
        return True

    def _about(self, key: str) -> str:
        return os.path.join(self._directory, key)

    def _file(self, key: str, digest: Digest) -> str:
        return os.path.join(self._directory, f"{key}-{digest.hex[:32]}")


def _digest(path: str, algorithm: str) -> Digest:
    hasher = new_hasher(algorithm)
    with open(path, "rb") as file:
        while data := file.read(CHUNK):
            hasher.update(data)
    return Digest(algorithm, hasher.hexdigest())


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
