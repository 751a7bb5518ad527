"""Builds that go wrong: what is said, what it costs, and that nothing of it stays."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.builds.asking import Built, build, building, context, large_context, rest
from support.engine import Engine
from support.tars import Member, symlink, tar
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

BASE = "FROM busybox\n"


def ask(engine: Engine, data: bytes, **query: object) -> Built:
    return build(engine.api, data, networkmode="none", **query)


def images(engine: Engine) -> int:
    return len(engine.api.get("/images/json", all=1).json())


@pytest.mark.parametrize(
    ("dockerfile", "words"),
    [
        ("", ("no instructions",)),
        ("# nothing\n", ("no instructions",)),
        ("RUN true\n", ("no build stage",)),
        (BASE + "RNU true\n", ("line 2", "unknown instruction: RNU", "did you mean RUN")),
        (BASE + "\n# so\nCOPY --nope=1 a /\n", ("line 4", "unknown flag", "nope")),
        (BASE + "COPY a\n", ("line 2", "COPY requires at least two arguments")),
        (BASE + "ENV\n", ("line 2", "ENV")),
        (BASE + "EXPOSE eighty\n", ("eighty",)),
        (BASE + 'HEALTHCHECK --interval=soon CMD ["x"]\n', ("line 2", "soon")),
        (BASE + "RUN --mount=type=nope,target=/x true\n", ("line 2", "nope")),
        ("FROM --platform=nope/x/y/z busybox\n", ("nope/x/y/z",)),
        ("FROM Busybox:1\n", ("lowercase",)),
        (BASE + "RUN <<EOF\ntrue\n", ("EOF",)),
    ],
)
def test_errors_name_the_place(engine: Engine, dockerfile: str, words: tuple[str, ...]) -> None:
    built = ask(engine, context(dockerfile))
    assert built.error
    assert "Successfully" not in built.said
    for word in words:
        assert word in built.error, built


def test_what_is_not_there_is_named(engine: Engine) -> None:
    missing = ask(engine, context(BASE), dockerfile="docker/Dockerfile.web")
    assert missing.status >= 400
    assert "docker/Dockerfile.web" in missing.error
    stage = ask(engine, context(BASE + "RUN true\n"), target="nope")
    assert (stage.status, "nope" in stage.error) == (400, True), stage
    file = ask(engine, context(BASE + "COPY nothere /x\n"))
    assert "nothere" in file.error
    unpulled = ask(engine, context("FROM 127.0.0.1:1/no/such:1\n"))
    assert "127.0.0.1:1" in unpulled.error


SECRETIVE = "tests/e2e secrets"


@pytest.mark.parametrize(
    ("instruction", "members"),
    [
        ("COPY ../outside /x", []),
        ("COPY l /x", [symlink("l", "{outside}")]),
        ("COPY l /x", [symlink("l", "../../../../../../..{outside}")]),
        ("COPY d/outside /x", [symlink("d", "{home}")]),
        ("ADD d/../outside /x", [symlink("d", "{home}")]),
        ("COPY d /x", [symlink("d", "{home}")]),
    ],
)
def test_a_context_ends_at_its_root(
    engine: Engine, tmp_path: Path, instruction: str, members: list[Member]
) -> None:
    outside = tmp_path / "outside"
    outside.write_text(SECRETIVE)
    places = {"outside": str(outside), "home": str(tmp_path)}
    links = [symlink(one.name, one.link.format(**places)) for one in members]
    script = f"! grep -r '{SECRETIVE}' /x"
    dockerfile = f"{BASE}{instruction}\nRUN {script}\n"
    built = ask(engine, tar(Member("Dockerfile", dockerfile.encode()), *links))
    # Either it is refused, or what was copied is nothing of the daemon's.
    assert "non-zero code" not in built.error, built
    for word in ("forbidden", "not found", "file does not exist"):
        if word in built.error:
            return
    assert not built.error, built


@pytest.mark.parametrize(
    "data",
    [
        b"this is no tar" * 100,
        context(BASE, {"f": bytes(5000)})[:4000],
        tar(Member("../../evil", b"x"), Member("Dockerfile", BASE.encode())),
    ],
)
def test_a_tar_that_lies(engine: Engine, data: bytes) -> None:
    built = ask(engine, data)
    assert built.status >= 400, built
    assert built.error


def test_a_large_context_is_not_held_in_memory(engine: Engine) -> None:
    ask(engine, context(BASE + "RUN true\n"))  # what builds need is loaded
    data = large_context(BASE + "RUN true\n", 192)
    with taking(engine, 48), building(engine, data, networkmode="none") as connection:
        answer = rest(connection)
    assert b"Successfully built" in answer, answer[-500:]


@contextmanager
def taking(engine: Engine, most: int) -> Iterator[None]:
    """See that the daemon itself never has so many mebibytes more than at the beginning."""
    process = Path(f"/proc/{engine.pid}")
    (process / "clear_refs").write_text("5")  # the peak is what it has now
    before = _peak(process)
    yield
    assert _peak(process) - before < most << 10


def _peak(process: Path) -> int:
    """In kibibytes."""
    return int((process / "status").read_text().split("VmHWM:")[1].split()[0])


def test_a_client_that_goes_away_ends_the_step(engine: Engine) -> None:
    before = images(engine)
    dockerfile = BASE + "RUN echo begun; sleep 1000\n"
    with building(engine, [context(dockerfile)], "begun", networkmode="none"):
        assert engine.inhabitants()
    eventually(lambda: not engine.inhabitants(), "the end of the step's processes")
    eventually(lambda: not engine.remains(), "the end of what the step had")
    assert images(engine) == before


def test_a_client_that_goes_away_with_half_a_context(engine: Engine) -> None:
    data = large_context(BASE + "RUN true\n", 5)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(engine.socket))
        connection.sendall(b"POST /build HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n")
        connection.sendall(next(data))
        eventually(lambda: engine.remains().get("temporary files"), "the context's directory")
    eventually(lambda: not engine.remains(), "its end")


def test_a_build_is_cancelled_by_its_name(engine: Engine) -> None:
    data = [context(BASE + "RUN echo begun; sleep 1001\n")]
    with building(engine, data, "begun", networkmode="none", buildid="mine") as connection:
        assert engine.api.post("/build/cancel", id="mine").status == 200
        assert b"errorDetail" in rest(connection)
    eventually(lambda: not engine.remains(), "the end of what the step had")


def test_what_a_step_leaves_running_ends_with_it(engine: Engine) -> None:
    """Also what has made itself a session of its own."""
    script = "for i in $(seq 50); do setsid sleep 1000 & sleep 1000 & done; echo $i"
    built = ask(engine, context(f"{BASE}RUN {script}\n"))
    assert not built.error, built
    eventually(lambda: not engine.inhabitants(), "the end of all processes")


FORKS = """
n=0
while [ $n -lt 300 ]; do (setsid sh -c 'sleep 1000 & sleep 1000' &); n=$((n+1)); done
echo forked
sleep 1000
"""


def test_a_step_that_forks_is_ended_whole(engine: Engine) -> None:
    """Three hundred sessions, whose parents are gone: as many as a machine of others allows."""
    dockerfile = f"{BASE}RUN <<EOF{FORKS}EOF\n"
    with building(engine, [context(dockerfile)], "forked", networkmode="none"):
        assert len(engine.inhabitants()) > 300
    eventually(lambda: not engine.inhabitants(), "the end of all processes")
    eventually(lambda: not engine.remains(), "the end of what the step had")


def test_a_step_that_floods_its_output(engine: Engine) -> None:
    with taking(engine, 100):
        built = ask(engine, context(BASE + "RUN yes | head -c 30000000\n"))
    assert not built.error, built.error


def test_after_a_kill_the_next_build_goes_on(make_engine: Callable[..., Engine]) -> None:
    """kill -9 in the middle: the cache is whole, and what ran is gone."""
    own = make_engine()
    own.start()
    own.load("busybox")
    done = BASE + "RUN echo one > /one\nCOPY part /two\nRUN cat /one /two > /three\n"
    files = {"part": b"two\n"}
    data = [context(done + "RUN echo begun; sleep 1000\n", files)]
    with building(own, data, "begun", networkmode="none"):
        own.kill()
    own.start()
    eventually(lambda: not own.inhabitants(), "the end of the step's processes")
    eventually(lambda: not own.remains(), "the end of what the step had")
    built = ask(own, context(done + "RUN cat /three\n", files))
    assert not built.error, built
    assert built.cached == 3, built.said
    assert "one\ntwo\n" in built.said
    data = [context(done + "RUN echo begun; sleep 1001\n", files)]
    with building(own, data, "begun", networkmode="none"):
        assert own.stop() == 0
    assert not own.inhabitants()
    assert not own.mounts()
    own.start()


@pytest.fixture
def tight(make_engine: Callable[..., Engine]) -> Iterator[Engine]:
    """A daemon with 32 MiB of disk."""
    engine = make_engine()
    engine.data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m,mode=711", "tmpfs", str(engine.data)]
    subprocess.run(mount, check=True)
    try:
        engine.start()
        engine.load("busybox")
        yield engine
        engine.stop()
    finally:
        subprocess.run(["umount", engine.data], check=True)


def nothing_is_left(engine: Engine) -> None:
    """But the disk itself."""
    eventually(lambda: engine.remains().keys() <= {"mounts"}, "the end of what the build had")
    assert engine.mounts() == [str(engine.data)]


def test_a_step_that_fills_the_disk(tight: Engine) -> None:
    built = ask(tight, context(BASE + "RUN dd if=/dev/zero of=/f bs=1M count=64\n"))
    assert "No space left on device" in built.said
    assert "returned a non-zero code: 1" in built.error
    nothing_is_left(tight)
    after = ask(tight, context(BASE + "RUN echo small > /f\n"))
    assert not after.error, after


def test_a_context_that_fills_the_disk(tight: Engine) -> None:
    with building(tight, large_context(BASE + "RUN true\n", 40)) as connection:
        answer = rest(connection)
    assert b" 503 " in answer
    assert b"the build context does not fit on the disk" in answer
    nothing_is_left(tight)


def test_a_result_that_does_not_fit(tight: Engine) -> None:
    files = {"large": os.urandom(12 << 20)}
    built = ask(tight, context(BASE + "COPY large /a\nCOPY large /b\nCOPY large /c\n", files))
    assert "o space left" in built.error or "disk is full" in built.error, built.error
    nothing_is_left(tight)
    assert not ask(tight, context(BASE + "RUN true\n")).error
