"""What results make of a container's health, and what its config asks for; nothing runs."""

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.base.moments import duration_text, parse_duration
from boxship.engine.containers.health import grpcprobe, settings
from boxship.engine.containers.health.settings import Command, NativeProbe, health_check
from boxship.engine.containers.health.state import (
    KEPT_RESULTS,
    MOST_OUTPUT,
    Health,
    HealthStatus,
    ProbeResult,
    after,
    begun,
    limited,
    not_probed,
)
from boxship.model.container import ContainerConfig, HealthConfig

SECOND = 10**9


def results(codes: str, *, retries: int = 3, forgiven: str = "") -> Health:
    """Take in a result per character; ``forgiven`` has an ``x`` where it is."""
    health = Health()
    for number, code in enumerate(codes):
        result = ProbeResult(number, number, int(code))
        is_forgiven = forgiven[number : number + 1] == "x"
        health = after(health, result, retries=retries, forgiven=is_forgiven)
    return health


@pytest.mark.parametrize(
    ("codes", "forgiven", "status", "streak"),
    [
        ("", "", "starting", 0),
        ("0", "", "healthy", 0),
        ("11", "", "starting", 2),
        ("111", "", "unhealthy", 3),
        ("1112", "", "unhealthy", 4),
        ("011", "", "healthy", 2),
        ("0111", "", "unhealthy", 3),
        ("1101", "", "healthy", 1),
        ("1110", "", "healthy", 0),
        ("1111", "xxxx", "starting", 0),
        ("11111", "xx", "unhealthy", 3),
        ("0111", "xxxx", "unhealthy", 3),  # it has been healthy: the start is over
    ],
)
def test_results_in_a_row(codes: str, forgiven: str, status: str, streak: int) -> None:
    health = results(codes, forgiven=forgiven)
    assert (health.status, health.failing_streak) == (status, streak)


def test_the_last_five_results_are_kept() -> None:
    health = results("1010101")
    assert [result.start_ns for result in health.log] == [2, 3, 4, 5, 6]
    assert len(health.log) == KEPT_RESULTS


def test_a_new_run_keeps_the_results_alone() -> None:
    before = results("111")
    assert begun(before) == Health(log=before.log)
    assert begun(None) == Health()


def test_what_is_not_probed_is_unhealthy() -> None:
    stopped = not_probed(results("0"))
    assert stopped is not None
    assert stopped.status is HealthStatus.UNHEALTHY
    assert not_probed(None) is None


def test_output_is_cut() -> None:
    assert limited(b"x" * MOST_OUTPUT) == "x" * MOST_OUTPUT
    assert limited(b"x" * (MOST_OUTPUT + 1)) == "x" * MOST_OUTPUT + "..."
    assert limited(b"\xff") == "\ufffd"


def config(*test: str, shell: tuple[str, ...] = (), **more: int) -> ContainerConfig:
    return ContainerConfig(healthcheck=HealthConfig(test, **more), shell=shell or None)


@pytest.mark.option("Shell", "Healthcheck.Test")
def test_commands() -> None:
    check = health_check(config("CMD", "a", "b"))
    assert check is not None
    assert check.probe == Command(("a", "b"))
    assert (check.interval_ns, check.timeout_ns, check.retries) == (30 * SECOND, 30 * SECOND, 3)
    assert (check.start_period_ns, check.start_interval_ns) == (0, 5 * SECOND)
    check = health_check(config("CMD-SHELL", "a b", interval=7, retries=1))
    assert check is not None
    assert check.probe == Command(("/bin/sh", "-c", "a b"))
    assert (check.interval_ns, check.retries) == (7, 1)
    check = health_check(config("CMD-SHELL", "a b", shell=("/bin/ash", "-ec")))
    assert check is not None
    assert check.probe == Command(("/bin/ash", "-ec", "a b"))


@pytest.mark.parametrize("test", [(), ("NONE",), ("WHAT", "x")])
def test_no_check(test: tuple[str, ...]) -> None:
    assert health_check(config(*test)) is None
    assert health_check(ContainerConfig()) is None


@pytest.mark.parametrize(
    ("text", "authority", "path"),
    [
        (":80", "127.0.0.1:80", ""),
        (":80/a/b?c", "127.0.0.1:80", "/a/b?c"),
        ("10.0.0.5:8080/", "10.0.0.5:8080", "/"),
        ("[::1]:443", "[::1]:443", ""),
    ],
)
def test_targets(text: str, authority: str, path: str) -> None:
    target = settings.parse_target(text)
    assert (target.authority, target.path) == (authority, path)
    check = health_check(config("HTTP", text))
    assert check is not None
    assert check.probe == NativeProbe(settings.Native.HTTP, target)


@pytest.mark.parametrize(
    "test",
    [
        ("HTTP",),
        ("HTTP", ":80", "/x"),
        ("HTTP", "80"),
        ("HTTP", ":0"),
        ("HTTP", ":65536"),
        ("HTTP", "localhost:80"),
        ("HTTP", ":80/a b"),
        ("HTTP", ":80/\r\nHost: x"),
        ("TCP", ":80/x"),
        ("GRPC", ""),
    ],
)
def test_bad_targets_are_refused(test: tuple[str, ...]) -> None:
    with pytest.raises(InvalidArgumentError, match="Test in Healthcheck"):
        settings.check_test(test)


@pytest.mark.parametrize(
    "text", ["0s", "1ns", "1.5µs", "500ms", "1s", "1.5s", "30s", "1m0s", "1m30s", "1h0m0.001s"]
)
def test_durations_read_as_go_writes_them(text: str) -> None:
    assert duration_text(parse_duration(text)) == text


# ── gRPC ─────────────────────────────────────────────────────────────────────────────────────


def frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


SETTINGS = frame(4, 0, 0, b"\0\3\0\0\0\x64")
TRAILERS = frame(1, 5, 1, b"\x88")


def says(message: bytes) -> bytes:
    data = b"\0" + len(message).to_bytes(4, "big") + message
    return SETTINGS + frame(1, 4, 1, b"\x88") + frame(0, 0, 1, data) + TRAILERS


@pytest.mark.parametrize(
    ("stream", "status"),
    [
        (says(b"\x08\x01"), "SERVING"),
        (says(b"\x08\x02"), "NOT_SERVING"),
        (says(b""), "UNKNOWN"),
        (SETTINGS + TRAILERS, "no answer of a gRPC health service"),
        (frame(7, 0, 0, b"\0" * 8), "no answer of a gRPC health service"),
        (b"HTTP/1.1 400 Bad Request\r\n", "no answer of a gRPC health service"),
        (says(b"\xff" * 9), "no answer of a gRPC health service"),
    ],
)
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_answers_of_grpc_services(stream: bytes, status: str, piece: int) -> None:
    answer = grpcprobe.Answer()
    reply = b""
    for start in range(0, len(stream), piece):
        reply += answer.feed(stream[start : start + piece])
    assert (answer.ended, answer.status) == (True, status)
    assert reply == (frame(4, 1, 0, b"") if stream.startswith(SETTINGS) else b"")
