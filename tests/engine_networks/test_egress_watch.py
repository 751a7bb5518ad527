"""What names lead to, and the log of connections."""

import json
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from boxship.engine.networks.auditlog import AuditLog
from boxship.engine.networks.egress import parse
from boxship.engine.networks.egresswatch import Allowance, EgressWatch
from boxship.engine.networks.requests import Tenant
from boxship.model.connection import Connection
from boxship.net.dns.resolver import Answered
from boxship.net.firewall.audit import Report
from boxship.net.firewall.facts import Address

WEB = Tenant("a" * 64, "web")
OWN = (ip_address("172.17.0.2"), ip_address("fd00::2"))
FOUND = ip_address("203.0.113.9")
SECOND = 10**9


def report(station: Address, port: int) -> Report:
    return Report(station, "02:42:ac:11:00:02", FOUND, "tcp", 40000, port, "deny")


class SetClock:
    def __init__(self) -> None:
        self.now = 100 * SECOND

    def now_ns(self) -> int:
        return self.now


class Opened:
    """A firewall that says when it is done."""

    def __init__(self) -> None:
        self.allowances: list[Allowance] = []
        self.waiting: list[Callable[[], None]] = []

    def __call__(self, allowances: tuple[Allowance, ...], done: Callable[[], None]) -> None:
        self.allowances += allowances
        self.waiting.append(done)


class Watched:
    def __init__(self, log: AuditLog, *words: str) -> None:
        self.opened, self.clock, self.log = Opened(), SetClock(), log
        self.watch = EgressWatch(self.log, self.clock, self.opened)
        self.watch.watch(WEB, parse(words), OWN)
        self.given: list[str] = []

    def answer(self, name: str, *addresses: str, ttl: int = 300, station: str = WEB.id) -> None:
        packed = tuple(ip_address(text).packed for text in addresses)
        answered = Answered(name, packed, ttl, station)
        self.watch.answered(answered, lambda: self.given.append(name))


@pytest.fixture
def logs() -> Iterator[Callable[..., AuditLog]]:
    opened: list[AuditLog] = []

    def open_log(directory: Path, **limits: int) -> AuditLog:
        opened.append(AuditLog(str(directory), **limits))
        return opened[-1]

    yield open_log
    for log in opened:
        log.close()


@pytest.fixture
def watched(tmp_path: Path, logs: Callable[..., AuditLog]) -> Callable[..., Watched]:
    return lambda *words: Watched(logs(tmp_path), *words)


def test_an_answer_waits_for_the_firewall(watched: Callable[..., Watched]) -> None:
    web = watched("allow=*.example.org:443/tcp")
    web.answer("WWW.example.org.", "203.0.113.9", "2001:db8::9")
    assert web.opened.allowances == [
        Allowance(OWN[0], FOUND, "tcp", 443, 443, 300),
        Allowance(OWN[1], ip_address("2001:db8::9"), "tcp", 443, 443, 300),
    ]
    assert web.given == []
    web.opened.waiting.pop()()
    assert web.given == ["WWW.example.org."]


def test_a_port_without_a_protocol_is_one_of_tcp_and_udp(watched: Callable[..., Watched]) -> None:
    web = watched("allow=example.org:443", "allow=*.example.org")
    web.answer("example.org", "203.0.113.9", ttl=5)
    assert {(one.protocol, one.first, one.seconds) for one in web.opened.allowances} == {
        ("tcp", 443, 60), ("udp", 443, 60),
    }  # fmt: skip


def test_no_name_opens_what_is_near(watched: Callable[..., Watched]) -> None:
    web = watched("allow=example.org")
    near = ("127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "ff02::1")
    web.answer("example.org", *near)
    assert (web.opened.allowances, len(web.given)) == ([], 1)
    web.answer("example.org", *near, "10.1.2.3")
    assert [str(one.destination) for one in web.opened.allowances] == ["10.1.2.3"]


def test_no_answer_counts_for_ever(watched: Callable[..., Watched]) -> None:
    web = watched("allow=example.org")
    web.answer("example.org", "203.0.113.9", ttl=0x7FFFFFFF)
    assert [one.seconds for one in web.opened.allowances] == [24 * 3600]


def test_other_names_and_other_containers_open_nothing(watched: Callable[..., Watched]) -> None:
    web = watched("allow=example.org")
    web.answer("example.com", "203.0.113.9")
    web.answer("example.org", "203.0.113.9", station="b" * 64)
    web.watch.forget(WEB.id)
    web.answer("example.org", "203.0.113.9")
    assert (web.opened.allowances, len(web.given)) == ([], 3)


def test_connections_are_logged_with_the_name_they_were_looked_up_by(
    tmp_path: Path, watched: Callable[..., Watched]
) -> None:
    web = watched("deny")
    web.answer("Example.com.", str(FOUND))
    web.watch.reported(report(OWN[0], 443))
    web.watch.reported(report(ip_address("172.17.0.9"), 443))  # nobody's
    (line,) = (tmp_path / "egress.log").read_text().splitlines()
    assert json.loads(line) == {
        "time": "1970-01-01T00:01:40.000000000Z",
        "verdict": "deny", "container": WEB.id, "name": "web",
        "source": "172.17.0.2", "destination": "203.0.113.9", "protocol": "tcp", "port": 443,
        "names": ["example.com"], "repeated": 0,
    }  # fmt: skip
    assert (tmp_path / "egress.log").stat().st_mode & 0o777 == 0o600


def test_who_tries_again_and_again_is_a_line_a_second(watched: Callable[..., Watched]) -> None:
    web = watched("deny")
    for step in range(21):
        web.clock.now = 100 * SECOND + step * SECOND // 10
        web.watch.reported(report(OWN[0], 443))
    web.watch.reported(report(OWN[0], 80))
    assert [(one.port, one.repeated) for one in web.log.read()] == [
        (443, 0), (443, 9), (443, 9), (80, 0),
    ]  # fmt: skip


def connection(port: int) -> Connection:
    return Connection("t", "deny", "c", "web", "172.17.0.2", "203.0.113.9", "tcp", port)


def test_the_log_is_rotated_and_read_back(tmp_path: Path, logs: Callable[..., AuditLog]) -> None:
    log = logs(tmp_path / "network", limit=1000, kept=2)
    for port in range(1, 101):
        log.write(connection(port), port)
    files = sorted(path.name for path in (tmp_path / "network").iterdir())
    assert files == ["egress.log", "egress.log.1", "egress.log.2"]
    assert all(path.stat().st_size <= 1000 for path in (tmp_path / "network").iterdir())
    kept = [one.port for one in log.read()]
    assert kept == list(range(kept[0], 101))
    assert [one.port for one in log.read(3)] == [98, 99, 100]
    log.close()
    again = logs(tmp_path / "network", limit=1000, kept=2)
    again.write(connection(101), 1)
    assert [one.port for one in again.read(2)] == [100, 101]


def test_a_line_that_was_cut_short_is_left_out(
    tmp_path: Path, logs: Callable[..., AuditLog]
) -> None:
    log = logs(tmp_path)
    log.write(connection(1), 1)
    with (tmp_path / "egress.log").open("ab") as file:
        file.write(b'{"time":"t","verd\n')
    log.write(connection(2), 2)
    assert [one.port for one in log.read()] == [1, 2]


def test_a_log_that_cannot_be_written_disturbs_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "network").touch()
    AuditLog(str(tmp_path / "network")).write(connection(1), 1)
    assert "cannot be written" in caplog.text
