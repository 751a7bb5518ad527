"""The daemon's own log on standard error, in dockerd's two forms.

::

    time="2026-11-21T00:27:24.740131949Z" level=info msg="API listen on /run/boxship/boxship.sock"
    {"level":"info","msg":"API listen on …","time":"2026-…"}

What a line is about stands in fields of its own: what its text names as ``container %s``, and what
the call gave as ``extra``::

    time="…" level=warning msg="the shim of container 4f0e… was killed" container=4f0e…
"""

import json
import logging
import re
import time

from boxship.base.clock import format_ns

_LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "panic": logging.CRITICAL,
}
_NAMES = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
    logging.CRITICAL: "fatal",
}
_USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime"}
"""What every record has; the rest is what the call gave."""
_PLACES = re.compile(r"(?:\b(container|image|network|plugin|volume) )?%[sdr]")
"""Where arguments go in a text, and which of them have a name there."""
_PLAIN = re.compile(r"[A-Za-z0-9\-._/@^+]+")


class DaemonFormatter(logging.Formatter):
    """Writes one line a record."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        level = _NAMES.get(record.levelno, record.levelname.lower())
        # ``created`` is a float of seconds: its digits below a microsecond are noise.
        stamp = format_ns(int(record.created * 1_000_000) * 1000)
        fields = {**_named(record), **_given(record)}
        if self._as_json:
            line = {**fields, "level": level, "msg": message, "time": stamp}
            return json.dumps(line, ensure_ascii=False, default=str)
        rest = "".join(f" {name}={_quoted(str(value))}" for name, value in fields.items())
        return f'time="{stamp}" level={level} msg={_quoted(message)}{rest}'


def _given(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _USUAL}


def _named(record: logging.LogRecord) -> dict[str, object]:
    if not isinstance(record.args, tuple):
        return {}
    nouns = _PLACES.findall(str(record.msg))
    return {noun: value for noun, value in zip(nouns, record.args, strict=False) if noun}


def _quoted(message: str) -> str:
    if _PLAIN.fullmatch(message):
        return message
    return json.dumps(message, ensure_ascii=False)


def set_up(level: str, log_format: str) -> None:
    """Send all logging to standard error."""
    out = logging.StreamHandler()
    out.setFormatter(DaemonFormatter(as_json=log_format == "json"))
    root = logging.getLogger()
    root.handlers[:] = [out]
    logging.Formatter.converter = time.gmtime
    set_level(level)


def set_level(level: str) -> None:
    logging.getLogger().setLevel(_LEVELS[level])
    # Of asyncio's own messages only what is wrong matters, whatever the level.
    logging.getLogger("asyncio").setLevel(logging.WARNING)
