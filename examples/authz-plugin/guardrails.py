"""An authorization plugin: containers get nothing that would make them the host.

Requests are forbidden that ask for privileges, for the host's namespaces, for capabilities or for
binds of directories that aren't named by ``--allow-bind``. Reading is always allowed.
"""

import argparse
import posixpath
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from boxship.plugin.sdk.authorization import ApiRequest, AuthorizationPlugin
from boxship.plugin.sdk.serving import serve

_VERSION = re.compile(r"^/v[0-9.]+(?=/)")
_HOST_MODES = ("NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode")


class Guardrails(AuthorizationPlugin):
    """Looks at what containers and execs are created with."""

    def __init__(self, allowed_binds: tuple[str, ...] = ()) -> None:
        self._allowed = allowed_binds

    def before(self, asked: ApiRequest) -> str:
        path = _VERSION.sub("", unquote(urlsplit(asked.uri).path))
        if asked.method != "POST":
            return ""
        body = _fields(asked.json())
        if path == "/containers/create":
            return next(self._wrong(_fields(body.get("hostconfig"))), "")
        if path.startswith("/containers/") and path.endswith("/exec"):
            return "privileged execs are not allowed" if body.get("privileged") else ""
        if path == "/volumes/create":
            return self._wrong_bind(str(_fields(body.get("driveropts")).get("device", "")))
        return ""

    def _wrong(self, host: Mapping[str, object]) -> Iterator[str]:
        if host.get("privileged"):
            yield "privileged containers are not allowed"
        if host.get("capadd"):
            yield "additional capabilities are not allowed"
        if host.get("devices") or host.get("devicecgrouprules"):
            yield "devices are not allowed"
        for mode in _HOST_MODES:
            if host.get(mode.casefold()) == "host":
                yield f"{mode} host is not allowed"
        for source in (*_binds(host), *_mounts(host)):
            if wrong := self._wrong_bind(source):
                yield wrong

    def _wrong_bind(self, source: str) -> str:
        real = posixpath.normpath(source)
        if not real.startswith("/") or any(f"{real}/".startswith(f"{a}/") for a in self._allowed):
            return ""
        return f"binding {source} is not allowed"


def _binds(host: Mapping[str, object]) -> Iterator[str]:
    binds = host.get("binds")
    for bind in binds if isinstance(binds, list) else ():
        yield str(bind).partition(":")[0]


def _mounts(host: Mapping[str, object]) -> Iterator[str]:
    mounts = host.get("mounts")
    for mount in mounts if isinstance(mounts, list) else ():
        fields = _fields(mount)
        if fields.get("type") == "bind":
            yield str(fields.get("source", ""))
        driver = _fields(_fields(fields.get("volumeoptions")).get("driverconfig"))
        yield str(_fields(driver.get("options")).get("device", ""))


def _fields(value: object) -> Mapping[str, object]:
    """Return an object's fields by their names in lower case: Docker doesn't look at the case."""
    return {k.casefold(): v for k, v in value.items()} if isinstance(value, dict) else {}


def main() -> None:
    """Serve the plugin until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", default="/run/docker/plugins/guardrails.sock")
    parser.add_argument("--allow-bind", action="append", default=[], metavar="DIRECTORY")
    arguments = parser.parse_args()
    serve(arguments.socket, Guardrails(tuple(arguments.allow_bind)))


if __name__ == "__main__":
    main()
