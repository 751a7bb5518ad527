"""``--ulimit`` and the block device limits."""

from typing import Any

from boxship.cli.kinds import parse_integer, parse_size

_ULIMITS = frozenset(
    (
        "as",
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    )
)


def parse_ulimit(text: str) -> dict[str, Any]:
    """``name=soft[:hard]``; -1 is no limit."""
    name, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"invalid ulimit argument: {text}")
    if name not in _ULIMITS:
        raise ValueError(f"invalid ulimit type: {name}")
    numbers = value.split(":")
    if len(numbers) > 2:
        raise ValueError(f"too many limit value arguments - {value}, can only have up to two")
    soft = parse_integer(numbers[0])
    hard = parse_integer(numbers[-1])
    if hard != -1 and (soft == -1 or soft > hard):
        raise ValueError(
            f"ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        )
    return {"Name": name, "Hard": hard, "Soft": soft}


def parse_weight(text: str) -> dict[str, Any]:
    """``/dev/sda:500``."""
    path, weight = _device_and_value(text)
    if not weight.isdigit() or not (weight == "0" or 10 <= int(weight) <= 1000):
        raise ValueError(f"invalid weight for device: {text}")
    return {"Path": path, "Weight": int(weight)}


def parse_bytes_rate(text: str) -> dict[str, Any]:
    """``/dev/sda:1mb``."""
    path, rate = _device_and_value(text)
    try:
        return {"Path": path, "Rate": parse_size(rate)}
    except ValueError as error:
        raise ValueError(
            f"invalid rate for device: {text}. The correct format is "
            "<device-path>:<number>[<unit>]. Number must be a positive integer. "
            "Unit is optional and can be kb, mb, or gb"
        ) from error


def parse_operations_rate(text: str) -> dict[str, Any]:
    """``/dev/sda:100``."""
    path, rate = _device_and_value(text)
    if not rate.isdigit():
        raise ValueError(
            f"invalid rate for device: {text}. The correct format is <device-path>:<number>. "
            "Number must be a positive integer"
        )
    return {"Path": path, "Rate": int(rate)}


def _device_and_value(text: str) -> tuple[str, str]:
    path, separator, value = text.partition(":")
    if not separator or not path or not value:
        raise ValueError(f"bad format: {text}")
    if not path.startswith("/dev/"):
        raise ValueError(f"bad format for device path: {text}")
    return path, value
