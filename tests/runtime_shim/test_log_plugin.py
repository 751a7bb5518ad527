"""Log plugins: told of a pipe, fed with protobuf, told of the end; some die or do not read."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import pytest

from boxship.runtime.logs import plugin
from boxship.runtime.logs.driver import DeliveryError, Entry, Partial
from boxship.runtime.messages import LogFacts, LogTarget
from boxship.wire import protobuf
from support.fakeplugin import FakePlugin, Json, serving


class Metadata(protobuf.Message, frozen=True):
    last: Annotated[bool, 1] = False
    id: Annotated[str, 2] = ""
    ordinal: Annotated[int, 3] = 0


class LogEntry(protobuf.Message, frozen=True):
    source: Annotated[str, 1] = ""
    time_nano: Annotated[int, 2] = 0
    line: Annotated[bytes, 3] = b""
    partial: Annotated[bool, 4] = False
    metadata: Annotated[Metadata | None, 5] = None


@dataclass
class Reader:
    """What a log plugin does: reads each pipe to its end in a thread."""

    received: bytearray = field(default_factory=bytearray)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, wish: Json) -> Json:
        thread = threading.Thread(target=self._read, args=(wish["File"],))
        self.threads.append(thread)
        thread.start()
        return {"Err": ""}

    def _read(self, path: str) -> None:
        with open(path, "rb", buffering=0) as pipe:
            while data := pipe.read(65536):
                self.received += data

    def entries(self) -> list[LogEntry]:
        """Return what came, once every pipe has ended."""
        for thread in self.threads:
            thread.join()
        data, found = bytes(self.received), []
        while data:
            length = int.from_bytes(data[:4], "big")
            found.append(protobuf.decode(data[4 : 4 + length], LogEntry))
            data = data[4 + length :]
        return found


@contextmanager
def logging_to(tmp_path: Path, start: object) -> Iterator[tuple[FakePlugin, LogTarget]]:
    target = LogTarget(
        driver="shop",
        options={"k": "v"},
        facts=LogFacts(
            container_id="1" * 64,
            container_name="web",
            command="sh -c x",
            created_ns=10**18,
            attributes={"team": "a"},
        ),
        address=str(tmp_path / "shop.sock"),
        directory=str(tmp_path / "pipes"),
    )
    answers = {"LogDriver.StartLogging": start, "LogDriver.StopLogging": lambda _: {}}
    with serving(target.address, "LogDriver", answers) as served:
        yield served, target


def entry(line: bytes) -> Entry:
    return Entry("stdout", 1_700_000_000_123_456_789, line)


def test_entries_arrive_as_docker_writes_them(tmp_path: Path) -> None:
    reader = Reader()
    piece = Partial("ab" * 32, 2, True)
    long = b"x" * 100_000
    with logging_to(tmp_path, reader.start) as (served, target):
        driver = plugin.open_driver(target)
        driver.send([entry(b"one"), Entry("stderr", 5, b"\xff\x00", piece)])
        driver.send([entry(long), entry(b"")])
        driver.close()
        driver.close()
        found = reader.entries()
    assert found[0] == LogEntry("stdout", 1_700_000_000_123_456_789, b"one")
    assert found[1] == LogEntry("stderr", 5, b"\xff\x00", True, Metadata(True, "ab" * 32, 2))
    assert [e.line for e in found[2:]] == [long, b""]
    started, stopped = served.asked[-2:]
    assert (started[0], stopped[0]) == ("LogDriver.StartLogging", "LogDriver.StopLogging")
    assert started[1]["File"] == stopped[1]["File"]
    info = started[1]["Info"]
    assert info["ContainerName"] == "/web"
    assert info["Config"] == {"k": "v"}
    assert info["ContainerCreated"] == "2001-09-09T01:46:40Z"
    assert (info["ContainerEntrypoint"], info["ContainerArgs"]) == ("sh", ["-c", "x"])
    assert os.listdir(tmp_path / "pipes") == []


def test_a_link_in_the_place_of_the_pipe_leads_nowhere(tmp_path: Path) -> None:
    """A plugin can write where its pipes are, and must not have the sender write elsewhere."""
    (tmp_path / "precious").touch()
    pipes: list[int] = []

    def swap(wish: Json) -> Json:
        pipes.append(os.open(wish["File"], os.O_RDONLY | os.O_NONBLOCK))
        os.unlink(wish["File"])
        os.symlink(tmp_path / "precious", wish["File"])
        return {}

    with logging_to(tmp_path, swap) as (_, target):
        driver = plugin.open_driver(target)
        driver.send([entry(b"one")])
        driver.close()
    assert b"one" in os.read(pipes[0], 100)
    os.close(pipes[0])
    assert (tmp_path / "precious").read_bytes() == b""


def test_links_of_what_a_plugin_sees_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "host").mkdir()
    (tmp_path / "tree/run").symlink_to(tmp_path / "host")
    with logging_to(tmp_path, lambda _: {}) as (served, target):
        seen = "/run/docker/logging"
        within = replace(target, directory=f"{tmp_path}/tree{seen}", seen_directory=seen)
        with pytest.raises(NotADirectoryError):
            plugin.open_driver(within)
        assert "LogDriver.StartLogging" not in served.methods()
    assert os.listdir(tmp_path / "host") == []


def test_a_plugin_that_says_no(tmp_path: Path) -> None:
    with (
        logging_to(tmp_path, lambda _: {"Err": "disk full"}) as (_, target),
        pytest.raises(DeliveryError, match=r"shop: LogDriver\.StartLogging: disk full"),
    ):
        plugin.open_driver(target)
    assert os.listdir(tmp_path / "pipes") == []


def test_a_plugin_that_is_not_there(tmp_path: Path) -> None:
    target = LogTarget(driver="shop", address=str(tmp_path / "x"), directory=str(tmp_path / "p"))
    with pytest.raises(DeliveryError, match=r"log plugin shop at .*No such file"):
        plugin.open_driver(target)
    assert os.listdir(tmp_path / "p") == []


def test_a_plugin_that_dies_is_told_again(tmp_path: Path) -> None:
    """One that is killed closes its pipe; what had been written counts, the rest comes again."""
    pipes: list[int] = []

    def opened(wish: Json) -> Json:
        pipes.append(os.open(wish["File"], os.O_RDONLY | os.O_NONBLOCK))
        return {}

    with logging_to(tmp_path, opened) as (_, target):
        driver = plugin.open_driver(target)
        driver.send([entry(b"before")])
        os.close(pipes[0])
        with pytest.raises(DeliveryError, match=r"log plugin shop: .*Broken pipe") as caught:
            driver.send([entry(b"after")])
        assert caught.value.delivered == 0
        driver.close()
        again = plugin.open_driver(target)
        again.send([entry(b"after")])
        assert b"after" in os.read(pipes[1], 100)
        again.close()
        os.close(pipes[1])


def test_a_plugin_that_does_not_read_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipes: list[int] = []

    def opened(wish: Json) -> Json:
        pipes.append(os.open(wish["File"], os.O_RDONLY | os.O_NONBLOCK))
        return {}

    with logging_to(tmp_path, opened) as (_, target):
        driver = plugin.open_driver(target)
        monkeypatch.setattr(plugin, "TIMEOUT", 1.0)
        with pytest.raises(DeliveryError, match="has not read its pipe") as caught:
            driver.send([entry(b"x" * 1000)] * 200)
        assert 0 < caught.value.delivered < 200  # a pipe holds 64 KiB
        driver.close()
        os.close(pipes[0])


def test_a_plugin_that_never_opens_its_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "TIMEOUT", 2.0)
    with (
        logging_to(tmp_path, lambda _: {}) as (_, target),
        pytest.raises(DeliveryError, match="has not opened the pipe"),
    ):
        plugin.open_driver(target)
    assert os.listdir(tmp_path / "pipes") == []


def test_a_plugin_with_a_file_system_of_its_own_sees_another_path(tmp_path: Path) -> None:
    reader = Reader()

    def start(wish: Json) -> Json:
        return reader.start({"File": wish["File"].replace("/run/docker/logging", str(root))})

    root = tmp_path / "pipes"
    with logging_to(tmp_path, start) as (served, target):
        seen = LogTarget(
            driver="shop",
            address=target.address,
            directory=str(root),
            seen_directory="/run/docker/logging",
        )
        driver = plugin.open_driver(seen)
        driver.send([entry(b"a")])
        driver.close()
        assert [e.line for e in reader.entries()] == [b"a"]
    assert served.asked[-1][1]["File"].startswith("/run/docker/logging/")
