"""The table of log drivers, in the words of Docker's daemon; tags and attributes."""

import re
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.logdrivers import names
from boxship.engine.containers.logdrivers.attributes import attributes
from boxship.engine.containers.logdrivers.checking import check
from boxship.engine.containers.logdrivers.subject import Subject
from boxship.engine.containers.logdrivers.table import DRIVERS
from boxship.engine.containers.logdrivers.tags import tag

GELF = "gelf-address=udp://h:1"
GELF_TCP = "gelf-address=tcp://h:1"
GROUP = "awslogs-group=g"
SPLUNK = "splunk-url=https://h:8088 splunk-token=t"

REFUSED = [
    ("nope", "", 'error looking up logging plugin nope: plugin "nope" not found'),
    ("json-file", "foo=1", "unknown log opt 'foo' for json-file log driver"),
    ("json-file", "foo=", "unknown log opt 'foo' for json-file log driver"),
    ("json-file", "max-size=x", "invalid value for max-size: invalid size: 'x'"),
    ("json-file", "max-size=0", "max-size must be a positive number"),
    ("json-file", "max-file=0", "max-file cannot be less than 1"),
    ("json-file", "max-file=x", "max-file cannot be less than 1"),
    (
        "json-file",
        "compress=x",
        'invalid value for compress: strconv.ParseBool: parsing "x": invalid syntax',
    ),
    (
        "json-file",
        "compress=true max-file=1",
        "compress cannot be true when max-file is less than 2 or max-size is not set",
    ),
    (
        "json-file",
        "mode=foo",
        'logger: logging mode "foo" not supported, expected "blocking" or "non-blocking"',
    ),
    (
        "json-file",
        "max-buffer-size=1m",
        "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
    ),
    (
        "json-file",
        "mode=non-blocking max-buffer-size=x",
        "error parsing option max-buffer-size: invalid size: 'x'",
    ),
    (
        "json-file",
        "tag={{.Foo}}",
        'template: log-tag:1:2: executing "log-tag" at <.Foo>: '
        "can't evaluate field Foo in type *logger.Info",
    ),
    ("json-file", "tag={{", "template: log-tag:1: unclosed action"),
    ("json-file", f"tag={{{{{'(' * 3000}.ID{')' * 3000}}}}}", "log-tag: it is nested too deeply"),
    ("json-file", "labels-regex=[", "invalid value for labels-regex: error parsing regexp"),
    ("local", "foo=bar", "unknown log opt 'foo' for log driver local"),
    ("local", "max-size=x", "invalid value for max-size: invalid size: 'x'"),
    ("journald", "foo=bar", "unknown log opt 'foo' for journald log driver"),
    ("journald", "cache-disabled=x", "invalid value for cache-disabled"),
    ("journald", "cache-max-size=x", "invalid value for cache-max-size: invalid size: 'x'"),
    ("syslog", "foo=bar", "unknown log opt 'foo' for syslog log driver"),
    (
        "syslog",
        "syslog-address=foo",
        "syslog-address should be in form proto://address, got foo",
    ),
    (
        "syslog",
        "syslog-address=http://x",
        "unsupported scheme: 'http' in syslog-address (one of tcp, tcp+tls, udp, unix, unixgram)",
    ),
    (
        "syslog",
        "syslog-address=tcp://h:99999",
        "invalid syslog-address (tcp://h:99999): invalid port",
    ),
    ("syslog", "syslog-facility=foo", "invalid syslog facility"),
    ("syslog", "syslog-facility=24", "invalid syslog facility"),
    ("syslog", "syslog-format=foo", "Invalid syslog format"),
    ("gelf", "", "gelf-address is a required parameter"),
    ("gelf", "gelf-address=foo", "gelf-address should be in form proto://address, got foo"),
    ("gelf", "gelf-address=tcp://foo", "gelf: please provide gelf-address as proto://host:port"),
    ("gelf", f"{GELF} foo=1", 'unknown log opt "foo" for gelf log driver'),
    (
        "gelf",
        f"{GELF} gelf-compression-type=foo",
        'unknown value "foo" for log opt "gelf-compression-type" for gelf log driver',
    ),
    (
        "gelf",
        f"{GELF} gelf-compression-level=12",
        'unknown value "12" for log opt "gelf-compression-level" for gelf log driver',
    ),
    ("gelf", f"{GELF} gelf-tcp-max-reconnect=1", '"gelf-tcp-max-reconnect" is only valid for TCP'),
    (
        "gelf",
        f"{GELF_TCP} gelf-tcp-max-reconnect=-1",
        '"gelf-tcp-max-reconnect" must be a positive integer',
    ),
    (
        "gelf",
        f"{GELF_TCP} gelf-compression-type=gzip",
        "compression is only supported on UDP",
    ),
    ("fluentd", "foo=bar", "unknown log opt 'foo' for fluentd log driver"),
    ("fluentd", "fluentd-address=foo:bar", "invalid fluentd-address (foo:bar): invalid port"),
    ("fluentd", "fluentd-address=[::1", "invalid fluentd-address ([::1): invalid port or host"),
    ("fluentd", "fluentd-async=x", 'strconv.ParseBool: parsing "x": invalid syntax'),
    ("fluentd", "fluentd-buffer-limit=x", "invalid size: 'x'"),
    ("fluentd", "fluentd-max-retries=-1", 'strconv.ParseUint: parsing "-1": invalid syntax'),
    ("fluentd", "fluentd-retry-wait=x", 'time: invalid duration "x"'),
    ("fluentd", "fluentd-async-reconnect-interval=1h", "must be between 100ms and 10s"),
    (
        "fluentd",
        "fluentd-async=true fluentd-async-connect=true",
        "conflicting options: cannot specify both 'fluentd-async' and 'fluentd-async-connect",
    ),
    ("splunk", "foo=bar", "unknown log opt 'foo' for splunk log driver"),
    ("splunk", "", "splunk: splunk-url is expected"),
    ("splunk", "splunk-url=http://h:1", "splunk: splunk-token is expected"),
    (
        "splunk",
        "splunk-url=http://h/bar splunk-token=t",
        "splunk: expected format scheme://dns_name_or_ip:port for splunk-url",
    ),
    (
        "splunk",
        f"{SPLUNK} splunk-gzip-level=11",
        "not supported level '11' for splunk-gzip-level (supported values between -1 and 9)",
    ),
    (
        "splunk",
        f"{SPLUNK} splunk-format=bar",
        "Unknown format specified bar, supported formats are inline, json and raw",
    ),
    ("awslogs", "foo=bar", "unknown log opt 'foo' for awslogs log driver"),
    ("awslogs", f"{GROUP} labels=a", "unknown log opt 'labels' for awslogs log driver"),
    ("awslogs", "awslogs-group=", "must specify a value for log opt 'awslogs-group'"),
    (
        "awslogs",
        f"{GROUP} awslogs-create-group=x",
        "must specify valid value for log opt 'awslogs-create-group': "
        'strconv.ParseBool: parsing "x": invalid syntax',
    ),
    (
        "awslogs",
        f"{GROUP} awslogs-max-buffered-events=0",
        "must specify a positive integer for log opt 'awslogs-max-buffered-events': 0",
    ),
    ("awslogs", f"{GROUP} awslogs-format=x", "unsupported log format 'x'"),
    (
        "awslogs",
        f"{GROUP} awslogs-multiline-pattern=a awslogs-datetime-format=%Y",
        "you cannot configure log opt 'awslogs-datetime-format' and 'awslogs-multiline-pattern' "
        "at the same time",
    ),
    ("gcplogs", "foo=bar", '"foo" is not a valid option for the gcplogs driver'),
    ("gcplogs", "tag=x", '"tag" is not a valid option for the gcplogs driver'),
]

ACCEPTED = [
    ("none", "anything=goes"),
    ("json-file", "max-size=-1 compress=false tag={{.Name}}"),
    ("json-file", "mode=non-blocking max-buffer-size=4m labels=a,b env-regex=^X"),
    ("local", "max-size=1.5m max-file=1 compress=false"),
    ("journald", "cache-disabled=true cache-max-size=1m cache-max-file=2 cache-compress=0"),
    ("syslog", "syslog-address= syslog-facility=local7 syslog-format=rfc5424micro"),
    ("syslog", "syslog-address=tcp+tls://[::1] syslog-tls-skip-verify= syslog-facility=23"),
    ("syslog", "syslog-address=unixgram:///dev/log"),
    ("gelf", f"{GELF} gelf-compression-type=none gelf-compression-level=-1"),
    ("gelf", f"{GELF_TCP} gelf-tcp-max-reconnect=0 gelf-tcp-reconnect-delay=2"),
    ("fluentd", "fluentd-address=host fluentd-retry-wait=1.5s fluentd-request-ack=true"),
    ("fluentd", "fluentd-address=unix:///x.sock fluentd-async-reconnect-interval=0"),
    ("splunk", f"{SPLUNK} splunk-format=raw splunk-gzip-level=-1 tag="),
    ("awslogs", f"{GROUP} awslogs-datetime-format=%Y-%m-%d awslogs-create-stream=false"),
    ("gcplogs", "gcp-project=p gcp-log-cmd=true gcp-meta-zone=z"),
]


def options(text: str) -> dict[str, str]:
    return {name: value for name, _, value in (word.partition("=") for word in text.split())}


@pytest.mark.parametrize(("driver", "given", "message"), REFUSED)
def test_what_is_refused(driver: str, given: str, message: str) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        check(driver, options(given))
    assert message in str(refusal.value)


@pytest.mark.parametrize(("driver", "given"), ACCEPTED)
def test_what_is_accepted(driver: str, given: str) -> None:
    check(driver, options(given))


def test_what_the_daemon_may_add_is_not_missed_in_a_request() -> None:
    check("gelf", {"labels": "a"}, partly=True)
    with pytest.raises(InvalidArgumentError, match="required parameter"):
        check("gelf", {"labels": "a"})


def test_each_driver_is_in_the_table() -> None:
    assert DRIVERS.keys() | {names.NONE} == names.KNOWN


SUBJECT = Subject(
    container_id="0123456789abcdef",
    name="web",
    image_id="sha256:fedcba9876543210",
    image_name="busybox:1",
    command=("sh", "-c", "true"),
    created="2026-01-02T03:04:05.5Z",
    labels={"a": "1", "b.c": "2", "both": "label"},
    env=("X=3", "XY=4", "both=variable", "without"),
    hostname="host",
    options={"labels": "a,none,both", "labels-regex": "^b", "env": "both", "env-regex": "^X."},
)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain", "plain"),
        ("{{.ID}}", "0123456789ab"),
        ("{{.Name}}/{{.FullID}}", "web/0123456789abcdef"),
        ("{{.ImageName}} {{.ImageID}}", "busybox:1 sha256:fedcb"),
        ("{{.ImageFullID}}", "sha256:fedcba9876543210"),
        ("{{.DaemonName}}", "docker"),
        ("{{.Command}}|{{.ContainerArgs}}", "sh -c true|[-c true]"),
        ("{{.ContainerName | upper}}", "/WEB"),
        ('{{index .ContainerLabels "b.c"}}', "2"),
        ('{{with index .ContainerLabels "none"}}x{{else}}y{{end}}', "y"),
        ("{{json .ContainerEnv}}", '["X=3","XY=4","both=variable","without"]'),
        ("{{.ContainerCreated}}", "2026-01-02 03:04:05.5 +0000 UTC"),
        ("{{.Hostname}}", "host"),
    ],
)
def test_tags(template: str, text: str) -> None:
    assert tag(template, SUBJECT) == text


def test_labels_and_variables_that_are_chosen() -> None:
    assert attributes(SUBJECT) == {"a": "1", "b.c": "2", "both": "variable", "XY": "4"}
    assert attributes(SUBJECT, str.upper)["BOTH"] == "variable"


def test_the_reference_has_each_option_of_each_driver() -> None:
    page = Path(__file__).parents[2] / "docs/reference/log-drivers.md"
    listed = re.findall(r"^\| `([\w-]+)` \| `([\w-]+)` \|", page.read_text(), re.MULTILINE)
    general = {"labels", "labels-regex", "env", "env-regex", "tag"}
    assert sorted(listed) == sorted(
        (driver.name, option)
        for driver in DRIVERS.values()
        for option in driver.options.keys() - general
    )
