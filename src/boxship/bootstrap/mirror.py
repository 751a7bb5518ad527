"""Downloads from mirrors: a few at once over kept connections, each checked against its digest."""

import hashlib
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3

from boxship.bootstrap.errors import (
    DamagedDownloadError,
    MirrorUnreachableError,
    NotOnMirrorError,
)

_AT_ONCE = 4
_PIECE = 256 * 1024
_HEADERS = {"User-Agent": "boxship"}
_TIMEOUT = urllib3.Timeout(connect=15, read=60)
_RETRIES = urllib3.Retry(
    total=4,
    connect=2,
    backoff_factor=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    raise_on_status=False,
)


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is wanted: where it is, what it must be, where it goes."""

    url: str
    sha256: str
    size: int
    path: str


class Mirrors:
    """HTTP connections to mirrors, through the proxy that the environment or apt names."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._pools: dict[str, urllib3.PoolManager] = {}

    def document(self, url: str, *, largest: int) -> bytes:
        """Read a small file. Raise NotOnMirrorError or MirrorUnreachableError."""
        with self._get(url) as response:
            data = self._read(response, url, largest + 1)
        if len(data) > largest:
            raise DamagedDownloadError(f"{url} is longer than {largest} bytes")
        return data

    def fetch_all(self, downloads: Iterable[Download]) -> Iterator[int]:
        """Download and check all of them; yield the size of each as it is here."""
        pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="mirror")
        try:
            for done in as_completed([pool.submit(self._fetch, one) for one in downloads]):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def close(self) -> None:
        """Close connections now; urllib3 by itself waits for the garbage collector."""
        for manager in self._pools.values():
            for key in manager.pools.keys():  # noqa: SIM118 - not a mapping to be iterated
                pool = manager.pools.get(key)
                if pool is not None:
                    pool.close()
            manager.clear()

    def _fetch(self, download: Download) -> int:
        hasher, size = hashlib.sha256(), 0
        with self._get(download.url) as response, open(download.path, "wb") as out:
            while piece := self._read(response, download.url, _PIECE):
                hasher.update(piece)
                size += len(piece)
                out.write(piece)
                if size > download.size:
                    break
        if size != download.size or hasher.hexdigest() != download.sha256:
            raise DamagedDownloadError(
                f"{download.url} is not the file that the signed release announces: the mirror "
                "is being updated or damaged; try again later or name another with --mirror"
            )
        return size

    def _get(self, url: str) -> urllib3.BaseHTTPResponse:
        try:
            response = self._pool(url).request(
                "GET", url, preload_content=False, timeout=_TIMEOUT, retries=_RETRIES
            )
        except urllib3.exceptions.HTTPError as error:
            raise MirrorUnreachableError(f"cannot reach {url}: {_reason(error)}") from error
        if response.status == 404:
            response.release_conn()
            raise NotOnMirrorError(f"{url} does not exist")
        if response.status != 200:
            response.release_conn()
            raise MirrorUnreachableError(f"{url} answers {response.status} {response.reason}")
        return response

    @staticmethod
    def _read(response: urllib3.BaseHTTPResponse, url: str, most: int) -> bytes:
        try:
            return response.read(most)
        except urllib3.exceptions.HTTPError as error:
            raise MirrorUnreachableError(f"{url} broke off: {_reason(error)}") from error

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NotOnMirrorError(f"{url}: a mirror's address begins with http:// or https://")
        proxy = self._proxy(parts.scheme, parts.hostname)
        if proxy not in self._pools:
            self._pools[proxy] = (
                urllib3.ProxyManager(proxy, maxsize=_AT_ONCE, headers=_HEADERS)
                if proxy
                else urllib3.PoolManager(maxsize=_AT_ONCE, headers=_HEADERS)
            )
        return self._pools[proxy]

    def _proxy(self, scheme: str, host: str) -> str:
        if _excepted(host, self._variable("no_proxy")):
            return ""
        return self._variable(f"{scheme}_proxy") or _apts_proxy(scheme)

    def _variable(self, name: str) -> str:
        return self._environment.get(name) or self._environment.get(name.upper(), "")


def _excepted(host: str, exceptions: str) -> bool:
    names = [name.strip().lstrip(".") for name in exceptions.split(",") if name.strip()]
    return any(name in ("*", host) or host.endswith(f".{name}") for name in names)


def _apts_proxy(scheme: str) -> str:
    """What this machine's apt uses; nothing where there is no apt."""
    command = ["apt-config", "shell", "proxy", f"Acquire::{scheme}::Proxy"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    value = answer.stdout.strip().removeprefix("proxy='").removesuffix("'")
    return "" if value == "DIRECT" else value


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    text = str(reason)
    return text.rpartition(">: ")[2] or text
