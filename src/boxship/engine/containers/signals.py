"""Signals as people write them: ``SIGTERM``, ``term``, ``15``, ``RTMIN+3``."""

import re
import signal

from boxship.base.errors import InvalidArgumentError

_REALTIME = re.compile(r"RT(MIN\+|MAX-)(\d{1,2})")
_LAST = 64


def parse_signal(text: str) -> int:
    """Return the number. InvalidArgumentError: ``invalid signal: x`` or so."""
    if text.isascii() and text.isdigit():
        number = int(text)
        if 0 < number <= _LAST:
            return number
        if number:
            raise InvalidArgumentError(f"the linux daemon does not support signal {number}")
    else:
        name = text.upper().removeprefix("SIG")
        if f"SIG{name}" in signal.Signals.__members__:
            return int(signal.Signals[f"SIG{name}"])
        match = _REALTIME.fullmatch(name)
        if match is not None:
            sign, base = (1, signal.SIGRTMIN) if match[1] == "MIN+" else (-1, signal.SIGRTMAX)
            number = base + sign * int(match[2])
            if signal.SIGRTMIN <= number <= signal.SIGRTMAX:
                return number
    raise InvalidArgumentError(f"invalid signal: {text}")
