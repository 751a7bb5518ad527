"""What the event ``reload`` and the log say after the configuration was read again; pure."""

import json
import os
from collections.abc import Mapping

from boxship.daemon.config import DaemonConfig
from boxship.daemon.option import Value
from boxship.daemon.options import OPTIONS


def attributes(config: DaemonConfig) -> dict[str, str]:
    """Return what the event bears, as dockerd's does: everything a reload can change, as it is."""
    names = (option.name for option in OPTIONS if option.reload)
    shown = {name: _shown(name, config.values[name]) for name in names}
    return dict(sorted({**shown, "name": os.uname().nodename}.items()))


def told(different: Mapping[str, Value]) -> str:
    """Return one line for the log: what has changed, and to what."""
    if not different:
        return "nothing changed"
    return ", ".join(f"{name}={_shown(name, value)}" for name, value in different.items())


def _shown(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return json.dumps(value, separators=(",", ":"))
    if isinstance(value, dict):
        if name == "runtimes":
            return " ".join(f"{key}:{_path(each)}" for key, each in sorted(value.items()))
        inner = " ".join(f"{key}:{_shown('', each)}" for key, each in sorted(value.items()))
        return f"map[{inner}]"
    return "" if value is None else str(value)


def _path(runtime: object) -> str:
    """Return the program of a runtime as it was configured."""
    if isinstance(runtime, dict):
        return str(runtime.get("path") or runtime.get("runtimeType") or "")
    return str(runtime)
