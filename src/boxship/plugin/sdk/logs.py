"""Log plugins: subclass :class:`LogPlugin`."""

import contextlib
import logging
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from boxship.plugin.entries import ReadEntry, decoded, encoded, taken
from boxship.plugin.sdk.serving import Answer, Json, Part, RefusedError, text, texts

_log = logging.getLogger(__name__)

_READ = 1 << 16
_LAST_LINES = 5.0
"""Seconds that the rest of a pipe may take when its end was told."""

Entry = ReadEntry
"""A line: ``source`` (``stdout``, ``stderr``), ``time_ns``, ``line``, ``goes_on``."""


@dataclass(frozen=True)
class Logged:
    """A container that logs."""

    id: str
    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    """``--log-opt`` of the container."""
    info: Mapping[str, object] = field(default_factory=dict)
    """All that the engine tells of it, as in Docker's ``logger.Info``."""


class LogPlugin(Part):
    """Gets what containers write. Each container's calls come from a thread of its own."""

    reads = False
    """Whether :meth:`read` gives back what was written."""

    def __init__(self) -> None:
        self._readers: dict[str, threading.Thread] = {}
        self._turn = threading.Lock()

    def begin(self, container: Logged) -> None:
        """A container begins to log. RefusedError keeps it from starting."""

    @abstractmethod
    def write(self, container: Logged, entry: Entry) -> None:
        """Keep an entry."""

    def end(self, container: Logged) -> None:
        """It writes no more."""

    def read(self, container: Logged, config: Mapping[str, object]) -> Iterator[Entry]:
        """Yield what was written, as ``config`` (``Tail``, ``Since``, ``Follow`` …) says."""
        raise RefusedError("this plugin gives no logs back")

    def capability(self) -> str:
        return "LogDriver"

    def calls(self) -> Mapping[str, Callable[[Json], Answer]]:
        return {
            "LogDriver.StartLogging": self._start,
            "LogDriver.StopLogging": self._stop,
            "LogDriver.Capabilities": lambda _: {"Cap": {"ReadLogs": self.reads}},
            "LogDriver.ReadLogs": self._read_back,
        }

    def _start(self, wish: Json) -> Answer:
        path, container = text(wish, "File"), _container(wish)
        self.begin(container)
        reader = threading.Thread(target=self._follow, args=(path, container), daemon=True)
        with self._turn:
            self._readers[path] = reader
        reader.start()
        return {}

    def _stop(self, wish: Json) -> Answer:
        with self._turn:
            reader = self._readers.pop(text(wish, "File"), None)
        if reader is not None:
            reader.join(_LAST_LINES)
        return {}

    def _follow(self, path: str, container: Logged) -> None:
        """Read a pipe to its end."""
        try:
            with open(path, "rb", buffering=0) as pipe:
                data = b""
                while piece := pipe.read(_READ):
                    message, data = taken(data + piece)
                    while message is not None:
                        self.write(container, decoded(message))
                        message, data = taken(data)
        except Exception:  # noqa: BLE001 - the pipe is closed by that, and the engine sees it
            _log.exception("the log of %s ends here", container.name)
        finally:
            self.end(container)

    def _read_back(self, wish: Json) -> Answer:
        if not self.reads:
            raise RefusedError("this plugin gives no logs back")
        config = wish.get("Config")
        found = self.read(_container(wish), config if isinstance(config, dict) else {})
        return _sent(found)


def _sent(entries: Iterator[Entry]) -> Iterator[bytes]:
    with contextlib.ExitStack() as stack:
        close = getattr(entries, "close", None)
        if close is not None:
            stack.callback(close)
        for entry in entries:
            yield encoded(entry)


def _container(wish: Json) -> Logged:
    info = wish.get("Info")
    if not isinstance(info, dict):
        raise RefusedError("Info is no object")
    name = text(info, "ContainerName").removeprefix("/")
    return Logged(text(info, "ContainerID"), name, texts(info, "Config"), info)
