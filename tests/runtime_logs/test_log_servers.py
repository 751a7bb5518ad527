"""Drivers and the servers they are made for: rsyslogd and systemd-journald."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.runtime.logs import journald as journald_driver
from boxship.runtime.logs import syslog
from boxship.runtime.logs.driver import DeliveryError, Entry, Partial
from support.loglisteners import FACTS, entries, target
from support.logservers import Journal, Rsyslog, journald, rsyslog
from support.ownports import own_ports

pytestmark = pytest.mark.privileged


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rsyslog]:
    with own_ports(), rsyslog(tmp_path_factory.mktemp("rsyslog"), 514) as running:
        yield running


@pytest.fixture(scope="module")
def journal() -> Iterator[Journal]:
    with journald() as running:
        yield running


@pytest.mark.parametrize("form", ["rfc3164", "rfc5424", "rfc5424micro"])
@pytest.mark.parametrize("scheme", ["udp", "tcp", "tcp+tls", "unixgram"])
def test_rsyslogd_understands(scheme: str, form: str, server: Rsyslog) -> None:
    tag = f"{scheme.replace('+', '-')}-{form}"
    text = f"by {tag}"
    wanted = target(
        "syslog",
        replace(FACTS, tag=tag),
        syslog_address=server.addresses[scheme],
        syslog_format=form,
        syslog_facility="local3",
        syslog_tls_ca_cert=str(server.authority),
    )
    with closing(syslog.open_driver(wanted)) as driver:
        driver.send(entries(text, stream="stderr"))
        driver.send(entries("x" * 16384))
    got = server.messages(tag, 2)
    assert [(m.priority, m.text.strip()) for m in got] == [(155, text), (158, "x" * 16384)]
    assert {(m.host, m.process) for m in got} == {(socket.gethostname(), str(os.getpid()))}
    assert {m.version for m in got} == {"0" if form == "rfc3164" else "1"}


def test_rsyslogd_is_not_trusted_without_its_authority(server: Rsyslog) -> None:
    address = server.addresses["tcp+tls"]
    with pytest.raises(OSError, match=r"^dial tcp\+tls localhost:\d+: .*certificate verify failed"):
        syslog.open_driver(target("syslog", syslog_address=address))
    unverified = target("syslog", syslog_address=address, syslog_tls_skip_verify="")
    syslog.open_driver(unverified).close()


def test_journald_has_the_fields(journal: Journal) -> None:
    with closing(journald_driver.open_driver(target("journald"), str(journal.socket))) as driver:
        piece = Partial("f" * 64, 2, last=False)
        driver.send([*entries("one\ttwo", stream="stderr"), Entry("stdout", 1, b"half", piece)])
    first, second = journal.entries("web/1", 2)
    expected = {
        "MESSAGE": "one\ttwo",
        "PRIORITY": "3",
        "CONTAINER_ID": FACTS.container_id[:12],
        "CONTAINER_ID_FULL": FACTS.container_id,
        "CONTAINER_NAME": "web",
        "CONTAINER_TAG": "web/1",
        "SYSLOG_IDENTIFIER": "web/1",
        "IMAGE_NAME": "busybox:1",
        "TEAM": "ci",
        "OWN": "2",
        "SYSLOG_TIMESTAMP": "2026-01-02T03:04:05.123456789Z",
    }
    assert {name: first.get(name) for name in expected} == expected
    assert (second["PRIORITY"], second["MESSAGE"]) == ("6", "half")
    assert second["CONTAINER_PARTIAL_MESSAGE"] == "true"
    assert second["CONTAINER_PARTIAL_ORDINAL"] == "2"


def test_what_is_no_datagram_goes_by_a_file(journal: Journal) -> None:
    facts = replace(FACTS, tag="file", attributes={"long": "x\n" * 200_000})
    wanted = target("journald", facts)
    with closing(journald_driver.open_driver(wanted, str(journal.socket))) as driver:
        driver.send(entries("large"))
    (entry,) = journal.entries("file", 1)
    assert (entry["MESSAGE"], entry["LONG"]) == ("large", "x\n" * 200_000)


def test_there_may_be_no_journal(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match=r"^journald is not enabled on this host: dial"):
        journald_driver.open_driver(target("journald"), str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("name", "field"),
    [("com.example-1", "COM_EXAMPLE_1"), ("__x", "X"), ("ärger", "RGER"), ("_", ""), ("a9", "A9")],
)
def test_names_of_fields(name: str, field: str) -> None:
    assert journald_driver.field_name(name) == field
