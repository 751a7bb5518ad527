"""What values of options have to be beyond their form: one check per kind of thing.

Each raises ValueError with what is wrong. Pure: nothing is looked up on the machine.
"""

import difflib
import re
from collections.abc import Iterable
from ipaddress import ip_address

from boxship.base.units import parse_decimal_bytes
from boxship.daemon.option import Check, Value
from boxship.wire.versions import read_oldest


def one_of(*allowed: str) -> Check:
    """Check a text that is one of ``allowed``."""

    def check(value: Value) -> None:
        if value not in allowed:
            choices = ", ".join(sorted(filter(None, allowed)))
            raise ValueError(f"{value} (one of {choices})")

    return check


def decimal_size(value: Value) -> None:
    """Check a size like ``10g``; empty is none."""
    if value and isinstance(value, str):
        parse_decimal_bytes(value)


def at_least(least: int, why: str = "") -> Check:
    """Check a number."""

    def check(value: Value) -> None:
        if isinstance(value, int) and value < least:
            raise ValueError(f"{value} (it must be {why or least} or more)")

    return check


def plugin_or(*built_in: str) -> Check:
    """Check a text that is one of ``built_in``, or may be the name of a plugin.

    Whether there is that plugin is seen at the daemon's start; a name that is spelled nearly as one
    of ours is refused before, with ours.
    """

    def check(value: Value) -> None:
        name = str(value)
        if name in built_in:
            return
        near = difflib.get_close_matches(name, filter(None, built_in), 1, 0.75)
        if near or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]*", name):
            one_of(*built_in)(name)

    return check


def hosts(value: Value) -> None:
    """Check what shall be listened on: ``unix://``, ``tcp://`` or ``fd://``, or a path or port."""
    for host in _words(value):
        scheme, separator, _ = host.partition("://")
        if separator and scheme not in ("unix", "tcp", "fd"):
            raise ValueError(f"{host} (use unix://, tcp:// or fd://)")
        if not host or any(map(str.isspace, host)):
            raise ValueError(f"{host!r} (nothing can be listened on there)")


def port(value: Value) -> None:
    """Check a TCP port, or 0."""
    if not isinstance(value, int) or not 0 <= value < 65536:
        raise ValueError(f"{value} (a port is 1 to 65535, and 0 is none)")


def host_and_port(value: Value) -> None:
    """Check an address to listen on; empty is none."""
    host, _, number = str(value).rpartition(":")
    if value and not (number.isdecimal() and int(number) < 65536 and " " not in host):
        raise ValueError(f"{value} (like 127.0.0.1:9323)")


def addresses(value: Value) -> None:
    """Check IP addresses without a port."""
    for one in _words(value):
        try:
            ip_address(one)
        except ValueError as error:
            raise ValueError(f"{one} (not an IP address)") from error


def labels(value: Value) -> None:
    """Check ``key=value`` words: a key stands there once, or several times with one value."""
    known: dict[str, str] = {}
    for label in _words(value):
        key, equals, worth = label.partition("=")
        if not equals or not key:
            raise ValueError(f"bad attribute format: {label} (a label is key=value)")
        if known.setdefault(key, worth) != worth:
            raise ValueError(f"conflict labels for {label} and {key}={known[key]}")


def fwmark(value: Value) -> None:
    """Check a firewall mark, see :func:`read_fwmark`."""
    if value:
        read_fwmark(str(value))


def read_fwmark(text: str) -> tuple[int, int]:
    """Read ``mark[/mask]``, decimal or with 0x; without a mask all 32 bits count."""
    mark, slash, mask = text.partition("/")
    try:
        numbers = int(mark, 0), int(mask, 0) if slash else 0xFFFFFFFF
    except ValueError as error:
        raise ValueError(f"{text} (a mark is a number, or number/mask: 0x1/0x3)") from error
    if not all(0 <= each < 1 << 32 for each in numbers):
        raise ValueError(f"{text} (mark and mask have 32 bits)")
    return numbers


def generic_resources(value: Value) -> None:
    """Check ``name=number`` or ``name=word`` words, see :func:`read_generic_resources`."""
    read_generic_resources(_words(value))


def read_generic_resources(given: Iterable[str]) -> list[tuple[str, str | int]]:
    """Read what a node has besides processors and memory: how many of it, or which ones."""
    found: list[tuple[str, str | int]] = []
    kinds: dict[str, type] = {}
    counted: set[str] = set()
    for term in given:
        name, equals, amount = term.partition("=")
        if not (name and equals and amount):
            raise ValueError(f"{term} (a resource is name=number or name=word)")
        worth: str | int = int(amount) if amount.isdecimal() else amount
        if kinds.setdefault(name, type(worth)) is not type(worth):
            raise ValueError(f"{term} ({name} is given by number and by name, it can be one only)")
        if isinstance(worth, int):
            if name in counted:
                raise ValueError(f"{term} (the number of {name} is given twice)")
            counted.add(name)
        found.append((name, worth))
    return found


def api_version(value: Value) -> None:
    """Check a version of the API that can be the oldest one."""
    read_oldest(str(value))


def listens(value: Value) -> None:
    """Check ``host:port``, where something shall listen; empty is nowhere."""
    if not value:
        return
    host, colon, number = str(value).rpartition(":")
    if not (colon and number.isdecimal() and int(number) < 65536) or "://" in host:
        raise ValueError(f"{value} (it is host:port)")


def _words(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()
