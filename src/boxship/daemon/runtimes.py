"""``runtimes`` of the configuration: OCI runtimes by name.

In ``daemon.json`` one is ``{"path": …, "runtimeArgs": […]}``, or, as newer daemons of Docker's
write it, ``{"runtimeType": "io.containerd.runc.v2", "options": {"BinaryName": …}}``. Other types
are shims of containerd's, which nobody here could speak to.
"""

from collections.abc import Mapping
from typing import Any

from boxship.daemon.jsontext import shown
from boxship.daemon.option import SettingError
from boxship.engine.settings import BUILT_IN_RUNTIME, STOCK_RUNTIMES, RuntimeProgram

_SHIM = "io.containerd.runc.v2"
_KEYS = ("path", "runtimeArgs", "runtimeType", "options")


def read_runtimes(configured: Mapping[str, Any]) -> dict[str, RuntimeProgram]:
    """Read what was given for ``runtimes``. SettingError names the runtime."""
    return {name: _program(name, value) for name, value in configured.items()}


def check_default(name: str, programs: Mapping[str, RuntimeProgram]) -> None:
    """Raise SettingError if nothing has that name."""
    if name not in (BUILT_IN_RUNTIME, *STOCK_RUNTIMES, *programs):
        raise SettingError(
            ("default-runtime",), f"specified default runtime '{name}' does not exist"
        )


def _program(name: str, value: object) -> RuntimeProgram:
    if name in (BUILT_IN_RUNTIME, *STOCK_RUNTIMES):
        raise SettingError(("runtimes", name), f"runtime name '{name}' is reserved")
    if not name:
        raise SettingError(("runtimes", name), "a runtime needs a name: --add-runtime NAME=PATH")
    if isinstance(value, str):
        value = {"path": value}
    if not isinstance(value, dict):
        raise _wrong(name, "an object with a path is needed")
    for key in value:
        if key not in _KEYS:
            raise _wrong(name, f"unknown key {shown(key)} (known are {', '.join(_KEYS)})", key)
    arguments = value.get("runtimeArgs") or []
    if not isinstance(arguments, list) or not all(isinstance(one, str) for one in arguments):
        raise _wrong(name, "runtimeArgs is a list of words", "runtimeArgs")
    return RuntimeProgram(_path(name, value), tuple(arguments))


def _path(name: str, value: dict[str, Any]) -> str:
    path, shim = value.get("path") or "", value.get("runtimeType") or ""
    if path and shim:
        raise _wrong(name, "a path or a runtimeType, not both", "runtimeType")
    if shim:
        if shim != _SHIM:
            raise _wrong(
                name,
                f"runtimeType {shown(shim)} is a shim of containerd's; give the runtime's path",
                "runtimeType",
            )
        options = value.get("options") or {}
        if not isinstance(options, dict):
            raise _wrong(name, "options is an object", "options")
        path = options.get("BinaryName") or STOCK_RUNTIMES[_SHIM]
    if not isinstance(path, str) or not path:
        raise _wrong(name, "a path is needed", "path")
    return path


def _wrong(name: str, what: str, *inner: str) -> SettingError:
    return SettingError(("runtimes", name, *inner), f"invalid runtimes: {name}: {what}")
