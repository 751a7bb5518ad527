"""Checks of single values: each takes a driver's name, an option and its value.

They raise InvalidArgumentError with the words of Docker's daemon where it has some, so that what
scripts look for in messages is there. Numbers, truth values and durations are written as in Go.
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from boxship.base.errors import InvalidArgumentError
from boxship.base.moments import parse_duration
from boxship.base.units import parse_bytes
from boxship.gotemplate.quoting import quote

Check: TypeAlias = Callable[[str, str, str], None]

TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})

SYSLOG_FACILITIES: Final = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron"),
    *("authpriv", "ftp", "ntp", "security", "console", "solaris-cron"),
    *(f"local{number}" for number in range(8)),
)
"""By their codes (RFC 5424, 6.2.1); the four that Docker has no names for are given by number."""


def anything(driver: str, option: str, value: str) -> None:
    """Every text will do."""


def truth(driver: str, option: str, value: str) -> None:
    if value not in TRUE | FALSE:
        raise _wrong(option, f"strconv.ParseBool: parsing {quote(value)}: invalid syntax")


def size(driver: str, option: str, value: str) -> None:
    try:
        number = parse_bytes(value)
    except ValueError as error:
        raise _wrong(option, str(error)) from None
    if number <= 0:
        raise InvalidArgumentError(f"{option} must be a positive number")


def size_or_unlimited(driver: str, option: str, value: str) -> None:
    if value != "-1":
        size(driver, option, value)


def count_of_files(driver: str, option: str, value: str) -> None:
    if not _is_number(value) or int(value) < 1:
        raise InvalidArgumentError(f"{option} cannot be less than 1")


def regular_expression(driver: str, option: str, value: str) -> None:
    try:
        re.compile(value)
    except re.error as error:
        raise _wrong(option, f"error parsing regexp: {error}: `{value}`") from None


def duration(driver: str, option: str, value: str) -> None:
    _nanoseconds(option, value)


def reconnect_interval(driver: str, option: str, value: str) -> None:
    if value and not 100_000_000 <= (_nanoseconds(option, value) or 100_000_000) <= 10_000_000_000:
        raise _wrong(option, f"value ({quote(value)}) must be between 100ms and 10s")


def retries(driver: str, option: str, value: str) -> None:
    if not _is_number(value):
        raise _wrong(option, f"strconv.ParseUint: parsing {quote(value)}: invalid syntax")


def positive_or_nothing(driver: str, option: str, value: str) -> None:
    """A number from 0 on, in the words of the driver for GELF."""
    if not _is_number(value):
        raise InvalidArgumentError(f"{quote(option)} must be a positive integer")


def positive(driver: str, option: str, value: str) -> None:
    if not _is_number(value) or int(value) < 1:
        raise InvalidArgumentError(
            f"must specify a positive integer for log opt '{option}': {value}"
        )


def aws_truth(driver: str, option: str, value: str) -> None:
    if value not in TRUE | FALSE:
        raise InvalidArgumentError(
            f"must specify valid value for log opt '{option}': "
            f"strconv.ParseBool: parsing {quote(value)}: invalid syntax"
        )


def aws_format(driver: str, option: str, value: str) -> None:
    if value != "json/emf":
        raise InvalidArgumentError(f"unsupported log format '{value}'")


def facility(driver: str, option: str, value: str) -> None:
    named = value in SYSLOG_FACILITIES and value not in SYSLOG_FACILITIES[12:16]
    if value and not named and not (_is_number(value) and int(value) <= 23):
        raise InvalidArgumentError("invalid syslog facility")


def syslog_format(driver: str, option: str, value: str) -> None:
    if value not in ("", "rfc3164", "rfc5424", "rfc5424micro"):
        raise InvalidArgumentError("Invalid syslog format")


def syslog_address(driver: str, option: str, value: str) -> None:
    if not value:
        return
    scheme, host = _transport(option, value, ("tcp", "tcp+tls", "udp", "unix", "unixgram"))
    if not scheme.startswith("unix"):
        _host_and_port(option, value, host)


def gelf_address(driver: str, option: str, value: str) -> None:
    scheme, _, rest = value.partition("://")
    if rest and scheme not in ("tcp", "udp"):
        raise InvalidArgumentError("gelf: endpoint needs to be TCP or UDP")
    scheme, host = _transport(option, value, ("tcp", "udp"))
    try:
        complete = _host_and_port(option, value, host) is not None
    except InvalidArgumentError:
        complete = False
    if not complete or not scheme:
        raise InvalidArgumentError("gelf: please provide gelf-address as proto://host:port")


def fluentd_address(driver: str, option: str, value: str) -> None:
    if not value:
        return
    host = value
    if "://" in value:
        scheme, host = _transport(option, value, ("tcp", "tls", "unix", "unixgram"))
        if scheme.startswith("unix"):
            return
    _host_and_port(option, value, host)


def compression_type(driver: str, option: str, value: str) -> None:
    if value not in ("gzip", "zlib", "none"):
        raise _unknown_value(driver, option, value)


def compression_level(driver: str, option: str, value: str) -> None:
    if not _is_level(value):
        raise _unknown_value(driver, option, value)


def splunk_level(driver: str, option: str, value: str) -> None:
    if not _is_level(value):
        raise InvalidArgumentError(
            f"not supported level '{value}' for {option} (supported values between -1 and 9)"
        )


def splunk_format(driver: str, option: str, value: str) -> None:
    if value not in ("inline", "json", "raw"):
        raise InvalidArgumentError(
            f"Unknown format specified {value}, supported formats are inline, json and raw"
        )


def splunk_url(driver: str, option: str, value: str) -> None:
    try:
        parts = urlsplit(value)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise InvalidArgumentError(
            f"splunk: failed to parse {value} as url value in {option}"
        ) from None
    extra = parts.path not in ("", "/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in ("http", "https") or not named or extra:
        raise InvalidArgumentError(
            f"splunk: expected format scheme://dns_name_or_ip:port for {option}"
        )


def _transport(option: str, value: str, schemes: tuple[str, ...]) -> tuple[str, str]:
    """Return the scheme of an address, and its host and port (or path)."""
    scheme, separator, rest = value.partition("://")
    if not separator:
        raise InvalidArgumentError(f"{option} should be in form proto://address, got {value}")
    if scheme not in schemes:
        possible = ", ".join(schemes)
        raise InvalidArgumentError(
            f"unsupported scheme: '{scheme}' in {option} (one of {possible})"
        )
    return scheme, rest.partition("/")[0] if not scheme.startswith("unix") else rest


def _host_and_port(option: str, value: str, text: str) -> tuple[str, int] | None:
    """Split ``host:port``; None without a port. Six is in brackets."""
    try:
        parts = urlsplit(f"//{text}")
        port = parts.port
    except ValueError:
        raise InvalidArgumentError(f"invalid {option} ({value}): invalid port or host") from None
    if parts.path or "/" in text:
        raise InvalidArgumentError(f"invalid {option} {value}: it has a path")
    return None if port is None else (parts.hostname or "", port)


def _nanoseconds(option: str, value: str) -> int:
    if not value:
        return 0
    try:
        return parse_duration(value)
    except ValueError as error:
        raise _wrong(option, str(error)) from None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_level(text: str) -> bool:
    return text == "-1" or (len(text) == 1 and _is_number(text))


def _unknown_value(driver: str, option: str, value: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"unknown value {quote(value)} for log opt {quote(option)} for {driver} log driver"
    )


def _wrong(option: str, reason: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"invalid value for {option}: {reason}")
