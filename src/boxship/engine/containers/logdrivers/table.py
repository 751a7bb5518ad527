"""The table of log drivers: which options each takes, and what their values have to be.

Options of Docker 29. A check of one value is in ``values.py``; ``rules`` are about several
options together. What a driver finds out only when it is opened (a file that is missing, a host
that does not answer) is not here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.logdrivers import values
from boxship.engine.containers.logdrivers.values import Check
from boxship.gotemplate.quoting import quote

Options: TypeAlias = Mapping[str, str]
Rule: TypeAlias = Callable[[Options], None]


@dataclass(frozen=True, slots=True)
class LogDriver:
    """A row. ``tag`` is the template of its tag if none is asked for; empty: no tag then."""

    name: str
    options: Mapping[str, Check]
    rules: tuple[Rule, ...] = ()
    tag: str = ""
    unknown: str = "unknown log opt '{option}' for {driver} log driver"
    untagged: bool = False
    """Whether an empty ``tag`` means none, instead of the default."""
    without_empty: frozenset[str] = field(default=frozenset())
    """Options whose empty value means something; otherwise one is as if it were not given."""


def _required(option: str, message: str) -> Rule:
    def rule(options: Options) -> None:
        if not options.get(option):
            raise InvalidArgumentError(message)

    return rule


def _compression(options: Options) -> None:
    if options.get("compress") in values.TRUE and options.get("max-file") == "1":
        raise InvalidArgumentError(
            "compress cannot be true when max-file is less than 2 or max-size is not set"
        )


def _gelf_transport(options: Options) -> None:
    """Compression is for datagrams, connecting again for streams."""
    if options["gelf-address"].startswith("udp"):
        for name in ("gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"):
            if name in options:
                raise InvalidArgumentError(f"{quote(name)} is only valid for TCP")
    elif any(name.startswith("gelf-compression") for name in options):
        raise InvalidArgumentError("compression is only supported on UDP")


def _one_of_async(options: Options) -> None:
    if options.get("fluentd-async") and options.get("fluentd-async-connect"):
        raise InvalidArgumentError(
            "conflicting options: cannot specify both 'fluentd-async' and 'fluentd-async-connect'"
        )


def _one_of_multiline(options: Options) -> None:
    date, pattern, form = "awslogs-datetime-format", "awslogs-multiline-pattern", "awslogs-format"
    for one, other in ((date, pattern), (form, date), (form, pattern)):
        if one in options and other in options:
            raise InvalidArgumentError(
                f"you cannot configure log opt '{one}' and '{other}' at the same time"
            )


_ATTRIBUTES: Final[Mapping[str, Check]] = {
    "labels": values.anything,
    "labels-regex": values.regular_expression,
    "env": values.anything,
    "env-regex": values.regular_expression,
}
_TAGGED: Final[Mapping[str, Check]] = {**_ATTRIBUTES, "tag": values.anything}
_FILES: Final[Mapping[str, Check]] = {
    "max-size": values.size_or_unlimited,
    "max-file": values.count_of_files,
    "compress": values.truth,
}

_DEFAULT_TAG: Final = "{{.ID}}"

COMMON: Final[Mapping[str, Check]] = {
    "mode": values.anything,
    "max-buffer-size": values.anything,
    "cache-disabled": values.truth,
    "cache-max-size": values.size,
    "cache-max-file": values.count_of_files,
    "cache-compress": values.truth,
}
"""Options that every driver takes: how output is handed to it, and the copy kept for ``logs``."""

DRIVERS: Final[Mapping[str, LogDriver]] = {
    driver.name: driver
    for driver in (
        LogDriver("json-file", {**_TAGGED, **_FILES}, (_compression,)),
        LogDriver(
            "local",
            {**_TAGGED, **_FILES},
            (_compression,),
            unknown="unknown log opt '{option}' for log driver {driver}",
        ),
        LogDriver("journald", _TAGGED, tag=_DEFAULT_TAG),
        LogDriver(
            "syslog",
            {
                **_TAGGED,
                "syslog-address": values.syslog_address,
                "syslog-facility": values.facility,
                "syslog-format": values.syslog_format,
                "syslog-tls-ca-cert": values.anything,
                "syslog-tls-cert": values.anything,
                "syslog-tls-key": values.anything,
                "syslog-tls-skip-verify": values.anything,
            },
            tag=_DEFAULT_TAG,
            without_empty=frozenset({"syslog-tls-skip-verify"}),
        ),
        LogDriver(
            "gelf",
            {
                **_TAGGED,
                "gelf-address": values.gelf_address,
                "gelf-compression-type": values.compression_type,
                "gelf-compression-level": values.compression_level,
                "gelf-tcp-max-reconnect": values.positive_or_nothing,
                "gelf-tcp-reconnect-delay": values.positive_or_nothing,
            },
            (_required("gelf-address", "gelf-address is a required parameter"), _gelf_transport),
            tag=_DEFAULT_TAG,
            unknown='unknown log opt "{option}" for {driver} log driver',
        ),
        LogDriver(
            "fluentd",
            {
                **_TAGGED,
                "fluentd-address": values.fluentd_address,
                "fluentd-async": values.truth,
                "fluentd-async-connect": values.truth,
                "fluentd-async-reconnect-interval": values.reconnect_interval,
                "fluentd-buffer-limit": values.size,
                "fluentd-max-retries": values.retries,
                "fluentd-read-timeout": values.duration,
                "fluentd-request-ack": values.truth,
                "fluentd-retry-wait": values.duration,
                "fluentd-sub-second-precision": values.truth,
                "fluentd-write-timeout": values.duration,
            },
            (_one_of_async,),
            tag=_DEFAULT_TAG,
        ),
        LogDriver(
            "splunk",
            {
                **_TAGGED,
                "splunk-url": values.splunk_url,
                "splunk-token": values.anything,
                "splunk-source": values.anything,
                "splunk-sourcetype": values.anything,
                "splunk-index": values.anything,
                "splunk-capath": values.anything,
                "splunk-caname": values.anything,
                "splunk-insecureskipverify": values.truth,
                "splunk-format": values.splunk_format,
                "splunk-verify-connection": values.truth,
                "splunk-gzip": values.truth,
                "splunk-gzip-level": values.splunk_level,
                "splunk-index-acknowledgment": values.truth,
            },
            (
                _required("splunk-url", "splunk: splunk-url is expected"),
                _required("splunk-token", "splunk: splunk-token is expected"),
            ),
            tag=_DEFAULT_TAG,
            untagged=True,
        ),
        LogDriver(
            "awslogs",
            {
                "tag": values.anything,
                "awslogs-region": values.anything,
                "awslogs-endpoint": values.anything,
                "awslogs-group": values.anything,
                "awslogs-stream": values.anything,
                "awslogs-create-group": values.aws_truth,
                "awslogs-create-stream": values.aws_truth,
                "awslogs-datetime-format": values.anything,
                "awslogs-multiline-pattern": values.regular_expression,
                "awslogs-credentials-endpoint": values.anything,
                "awslogs-force-flush-interval-seconds": values.positive,
                "awslogs-max-buffered-events": values.positive,
                "awslogs-format": values.aws_format,
            },
            (
                _required("awslogs-group", "must specify a value for log opt 'awslogs-group'"),
                _one_of_multiline,
            ),
            tag="{{.FullID}}",
        ),
        LogDriver(
            "gcplogs",
            {
                **_ATTRIBUTES,
                "gcp-project": values.anything,
                "gcp-log-cmd": values.truth,
                "gcp-meta-zone": values.anything,
                "gcp-meta-name": values.anything,
                "gcp-meta-id": values.anything,
            },
            unknown='"{option}" is not a valid option for the {driver} driver',
        ),
    )
}
