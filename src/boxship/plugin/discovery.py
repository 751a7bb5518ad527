"""Find plugins that nobody installed by the engine: sockets and files that say where they are.

::

    <sockets>/<name>.sock   or  <sockets>/<name>/<name>.sock      a unix socket
    <specs>/<name>.spec     or  <specs>/<name>/<name>.spec        an address on one line
    <specs>/<name>.json     or  <specs>/<name>/<name>.json        {"Addr": …, "TLSConfig": {…}}

Every directory is looked through for all three, in order; the first find counts. Names are those of
files, so a name that could lead out of its directory finds nothing.
"""

import os
import re
import stat
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from boxship.base.errors import InvalidArgumentError
from boxship.plugin.endpoint import Endpoint, PluginTls, parse_endpoint

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_ENDINGS = (".sock", ".spec", ".json")
_LONGEST_FILE = 64 << 10


class _TlsConfig(Struct, rename="pascal"):
    insecure_skip_verify: bool = False
    ca_file: str = msgspec.field(default="", name="CAFile")
    cert_file: str = ""
    key_file: str = ""


class _Spec(Struct, rename="pascal"):
    addr: str = ""
    tls_config: _TlsConfig | None = msgspec.field(default=None, name="TLSConfig")


def find(name: str, directories: Sequence[str]) -> Endpoint | None:
    """Return where a plugin listens; ``None``: nothing says so.

    InvalidArgumentError: there is a file for it that makes no sense.
    """
    if _NAME.fullmatch(name) is None:
        return None
    for directory in directories:
        for ending in _ENDINGS:
            for path in (f"{directory}/{name}{ending}", f"{directory}/{name}/{name}{ending}"):
                found = _look(path, ending)
                if found is not None:
                    return found
    return None


def names(directories: Sequence[str]) -> tuple[str, ...]:
    """Return the names of all there are, sorted, whether they answer or not."""
    found = set()
    for directory in directories:
        for entry in _entries(directory):
            stem, ending = os.path.splitext(entry)
            name = stem if ending in _ENDINGS else entry
            if _NAME.fullmatch(name) and (ending in _ENDINGS or _has_own(directory, name)):
                found.add(name)
    return tuple(sorted(found))


def _entries(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _has_own(directory: str, name: str) -> bool:
    return any(os.path.exists(f"{directory}/{name}/{name}{ending}") for ending in _ENDINGS)


def _look(path: str, ending: str) -> Endpoint | None:
    if ending == ".sock":
        return Endpoint(path=path) if _is_socket(path) else None
    try:
        with open(path, "rb") as file:
            content = file.read(_LONGEST_FILE)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidArgumentError(f"plugin file {path} cannot be read: {error}") from error
    try:
        if ending == ".spec":
            return parse_endpoint(content.decode())
        return _described(msgspec.json.decode(content, type=_Spec))
    except (msgspec.DecodeError, UnicodeDecodeError, InvalidArgumentError) as error:
        raise InvalidArgumentError(f"plugin file {path}: {error}") from error


def _described(spec: _Spec) -> Endpoint:
    given = spec.tls_config
    if given is None:
        return parse_endpoint(spec.addr)
    verify = bool(given.ca_file) and not given.insecure_skip_verify
    tls = PluginTls(given.ca_file, given.cert_file, given.key_file, verify)
    return parse_endpoint(spec.addr, tls)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
