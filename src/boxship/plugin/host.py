"""A process for the plugin of a Python package: ``python -m boxship.plugin.host NAME SOCKET``.

A package says ``[project.entry-points."boxship.plugins"] shop = "shop.plugin:Shop"``. What that
names is called without arguments and has to return a :class:`boxship.plugin.sdk.serving.Part`, or
several. A process of its own, because what a plugin does to its process (threads, descriptors,
a segmentation fault) must not be done to the engine's.
"""

import logging
import signal
import sys
from collections.abc import Iterable
from types import FrameType

from boxship.plugin.packages import entry_point
from boxship.plugin.sdk.serving import Part, serve


def load(name: str) -> tuple[Part, ...]:
    """Make the plugin of a package. LookupError: there is none; TypeError: it is no plugin."""
    found = entry_point(name)
    made = found.load()()
    parts = (made,) if isinstance(made, Part) else made
    if not isinstance(parts, Iterable):
        raise TypeError(f"{found.value} makes no plugin: {made!r}")
    checked = tuple(parts)
    for part in checked:
        if not isinstance(part, Part):
            raise TypeError(f"{found.value} makes no plugin: {part!r}")
    return checked


def main(arguments: list[str]) -> int:
    """Serve a plugin until SIGTERM; return the exit code."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m boxship.plugin.host NAME SOCKET\n")
        return 2
    name, path = arguments
    logging.basicConfig(level=logging.INFO, format=f"plugin {name}: %(message)s")
    signal.signal(signal.SIGTERM, _leave)
    try:
        serve(path, *load(name))
    except (LookupError, TypeError, ImportError, OSError) as error:
        sys.stderr.write(f"plugin {name}: {error}\n")
        return 1
    return 0


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
