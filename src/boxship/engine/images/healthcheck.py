"""``HEALTHCHECK [OPTIONS] CMD …`` and ``HEALTHCHECK NONE``; pure."""

import re

import msgspec
from msgspec.structs import replace

from boxship.base.moments import parse_duration
from boxship.oci.image import Healthcheck

_OPTION = re.compile(r"--([a-z-]+)(?:=(\S*))?(?:\s+|$)")
_DURATIONS = {
    "interval": "interval",
    "timeout": "timeout",
    "start-period": "start_period",
    "start-interval": "start_interval",
}
_SHORTEST = 1_000_000


def parse(text: str) -> Healthcheck:
    """Read the arguments. Raise ValueError."""
    check = Healthcheck()
    while match := _OPTION.match(text):
        check = _with_option(check, match[1], match[2] or "")
        text = text[match.end() :]
    kind, _, command = text.partition(" ")
    command = command.strip()
    if not kind:
        raise ValueError("requires at least one argument")
    if kind.upper() == "NONE":
        if command or check != Healthcheck():
            raise ValueError("NONE takes no arguments")
        return Healthcheck(test=("NONE",))
    if kind.upper() != "CMD":
        raise ValueError(f'has the unknown type "{kind.upper()}" (try CMD)')
    return replace(check, test=_test(command))


def _test(command: str) -> tuple[str, ...]:
    if not command:
        raise ValueError("CMD misses its command")
    try:
        return ("CMD", *msgspec.json.decode(command, type=tuple[str, ...]))
    except msgspec.DecodeError:
        return ("CMD-SHELL", command)


def _with_option(check: Healthcheck, name: str, value: str) -> Healthcheck:
    if name == "retries":
        if not value.isdigit():
            raise ValueError(f'retries: "{value}" is not a number')
        return replace(check, retries=int(value))
    if name not in _DURATIONS:
        raise ValueError(f"does not know the flag: {name}")
    duration = parse_duration(value)
    if 0 < duration < _SHORTEST or duration < 0:
        raise ValueError(f'Interval "{name}" cannot be less than 1ms')
    return replace(check, **{_DURATIONS[name]: duration})
