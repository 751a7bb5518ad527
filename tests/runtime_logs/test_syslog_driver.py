"""Messages for syslog by their forms, and the ways they go."""

import os
import re
import socket
import ssl
import threading
from contextlib import closing
from pathlib import Path

import pytest

from boxship.runtime.logs import syslog
from boxship.runtime.logs.driver import DeliveryError
from support.certificates import Authority
from support.loglisteners import AT, accepted, datagrams, entries, read_until, stream, target

PID = os.getpid()
HOST = re.escape(socket.gethostname())
DATE = r"[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d"
ISO = r"2026-01-0\dT\d\d:\d\d:05"
ZONE = r"(Z|[+-]\d\d:\d\d)"


def url(listener: socket.socket, scheme: str) -> str:
    name = listener.getsockname()
    return f"{scheme}://{name}" if isinstance(name, str) else f"{scheme}://127.0.0.1:{name[1]}"


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("", rf"<30>{DATE} web/1\[{PID}\]: hello\n"),
        ("rfc3164", rf"<30>{DATE} {HOST} web/1\[{PID}\]: hello\n"),
        ("rfc5424", rf"<30>1 {ISO}{ZONE} {HOST} web/1 {PID} web/1 - hello\n"),
        ("rfc5424micro", rf"<30>1 {ISO}\.123456{ZONE} {HOST} web/1 {PID} web/1 - hello\n"),
    ],
)
def test_forms(form: str, pattern: str) -> None:
    with datagrams() as receiver:
        options = {"syslog_address": url(receiver, "udp"), "syslog_format": form}
        with closing(syslog.open_driver(target("syslog", **options))) as driver:
            driver.send(entries("", "hello"))
            got = receiver.recv(2048).decode()
    assert re.fullmatch(pattern, got), got


@pytest.mark.parametrize(
    ("facility", "origin", "priority"),
    [
        ("", "stderr", 27),
        ("kern", "stdout", 6),
        ("local7", "stdout", 190),
        ("23", "stderr", 187),
        ("authpriv", "stdout", 86),
    ],
)
def test_priorities(facility: str, origin: str, priority: int, tmp_path: Path) -> None:
    with datagrams(tmp_path / "log") as receiver:
        options = {"syslog_address": url(receiver, "unixgram"), "syslog_facility": facility}
        with closing(syslog.open_driver(target("syslog", **options))) as driver:
            driver.send(entries("x", stream=origin))
            assert receiver.recv(2048).startswith(b"<%d>" % priority)


@pytest.mark.parametrize("scheme", ["tcp", "unix"])
def test_streams_have_a_line_per_message_and_are_made_again(scheme: str, tmp_path: Path) -> None:
    with stream(tmp_path / "log" if scheme == "unix" else None) as listener:
        wanted = target("syslog", syslog_address=url(listener, scheme))
        with closing(syslog.open_driver(wanted)) as driver:
            with closing(accepted(listener)) as connection:
                driver.send(entries("one", "", b"tw\xff"))
                got = read_until(connection, lambda data: data.count(b"\n") == 2)
                assert [line.partition(b"]: ")[2] for line in got.splitlines()] == [
                    b"one",
                    b"tw\xff",
                ]
            # The server has gone and come back: the next line is not lost.
            driver.send(entries("three"))
            with closing(accepted(listener)) as connection:
                assert read_until(connection, lambda d: d.endswith(b"\n")).endswith(b"three\n")


def test_a_server_that_is_not_there_is_told_when_the_driver_is_opened(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="dial unix /nowhere: No such file"):
        syslog.open_driver(target("syslog", syslog_address="unix:///nowhere"))
    with stream() as listener:
        address = url(listener, "tcp")
    with pytest.raises(OSError, match=r"dial tcp 127.0.0.1:.*refused"):
        syslog.open_driver(target("syslog", syslog_address=address))


def test_nobody_waits_for_a_datagram() -> None:
    with datagrams() as receiver:
        address = url(receiver, "udp")
    with closing(syslog.open_driver(target("syslog", syslog_address=address))) as driver:
        # The kernel tells of the first with the second, and lets the one after that go out.
        lost = 0
        for _ in range(4):
            try:
                driver.send(entries("x"))
            except DeliveryError as error:
                assert error.refused
                lost += 1
        assert lost < 4


@pytest.mark.parametrize(("tag", "word"), [("a b/ü", "a_b/_"), ("", "-")])
def test_a_tag_is_one_word_of_the_header(tag: str, word: str) -> None:
    head = syslog.head_of("rfc5424", tag, "h", 1)(14, AT)
    assert head.split(" ")[2:] == ["h", word, "1", word, "-", ""]
    assert syslog.head_of("rfc3164", tag, "h", 1)(14, AT).endswith(f" h {tag}[1]: ")


def test_the_head_has_the_time_of_the_entry() -> None:
    head = syslog.head_of("rfc5424micro", "t", "h", 1)
    assert head(14, AT) != head(14, AT + 1_000_000_000)


@pytest.mark.parametrize(("form", "counted"), [("rfc5424", True), ("rfc3164", False)])
def test_lengths_stand_in_front_over_tls(form: str, counted: bool, tmp_path: Path) -> None:
    """By RFC 5425; rsyslogd would understand both."""
    authority = Authority(tmp_path)
    issued = authority.issue("localhost", "127.0.0.1")
    security = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    security.load_cert_chain(issued.certificate, issued.key)
    got: list[bytes] = []
    with stream() as listener:

        def serve() -> None:
            with (
                closing(accepted(listener)) as plain,
                security.wrap_socket(plain, server_side=True) as connection,
            ):
                got.append(read_until(connection, lambda data: data.endswith(b"\n")))

        thread = threading.Thread(target=serve)
        thread.start()
        wanted = target(
            "syslog",
            syslog_address=url(listener, "tcp+tls"),
            syslog_format=form,
            syslog_tls_ca_cert=str(authority.certificate),
        )
        try:
            with closing(syslog.open_driver(wanted)) as driver:
                driver.send(entries("ä"))
                thread.join()
        finally:
            thread.join()
    length, _, message = got[0].partition(b" ")
    assert (length == b"%d" % len(message)) == counted
