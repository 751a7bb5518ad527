"""Clearing a log, by files alone: which shims notice, what goes, what is said."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from boxship.base.errors import ConflictError, InvalidArgumentError
from boxship.engine.containers import logstate
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.paths import Paths
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.shimlink import ShimGoneError
from boxship.model.container import ContainerConfig, HostConfig, LogConfig
from boxship.runtime.logs.losses import NAME, Ledger, Losses, read_losses
from boxship.runtime.messages import Message, State


class Shim:
    """Answers with ``reply``, or is gone."""

    def __init__(self, reply: State | None) -> None:
        self._reply = reply

    async def request(self, _: Message) -> State:
        if self._reply is None:
            raise ShimGoneError("gone")
        return self._reply


class Site:
    """A container with a rotated log, and what was announced."""

    def __init__(self, root: Path, driver: str = "local") -> None:
        self.paths = Paths(str(root), str(root / "exec"))
        files = self.paths.of("c1")
        self.directory = Path(files.directory)
        self.directory.mkdir(parents=True)
        for name in ("container.log", "container.log.1", "container.log.2.gz"):
            (self.directory / name).write_bytes(b"x" * 10)
        (self.directory / "hosts").touch()
        self.ledger = Ledger(files.log_losses)
        self.ledger.add(Losses(disk=4, reason="full"))
        self.ledger.write()
        self.said: list[tuple[str, Mapping[str, str] | None]] = []
        self.container = Container(
            ContainerRecord(
                id="c1",
                name="c1",
                created_ns=0,
                image_id="",
                path="",
                args=(),
                config=ContainerConfig(),
                host=HostConfig(log_config=LogConfig(driver, {})),
            )
        )

    @property
    def context(self) -> Context:
        return cast(Context, SimpleNamespace(paths=self.paths, announcer=self))

    def say(self, _: ContainerRecord, action: str, more: Mapping[str, str] | None = None) -> None:
        self.said.append((action, more))

    def connect(self, shim: Shim) -> None:
        self.container.shim = cast(Any, shim)

    def names(self) -> set[str]:
        return {path.name for path in self.directory.iterdir()}


def state(protocol: int, **fields: Any) -> State:
    return State(
        container_id="c1", status="running", pid=1, started_ns=1, protocol=protocol, **fields
    )


@pytest.mark.parametrize("shim", [None, Shim(state(3)), Shim(None)])
def test_files_and_losses_go_and_it_is_told(tmp_path: Path, shim: Shim | None) -> None:
    site = Site(tmp_path)
    if shim is not None:
        site.connect(shim)
    assert asyncio.run(logstate.clear(site.context, site.container)) == 30
    assert site.names() == {"hosts", NAME}
    assert read_losses(str(site.directory)) == Losses()
    assert site.said == [("log-clear", {"reclaimed": "30"})]


def test_a_shim_that_would_not_notice_keeps_its_log(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.connect(Shim(state(2)))
    before = site.names()
    with pytest.raises(ConflictError, match="restart the container first"):
        asyncio.run(logstate.clear(site.context, site.container))
    assert site.names() == before
    assert read_losses(str(site.directory)).lines == 4
    assert site.said == []


def test_what_has_no_log_here_has_none_to_clear(tmp_path: Path) -> None:
    site = Site(tmp_path, "none")
    with pytest.raises(InvalidArgumentError, match="none keeps no log here"):
        asyncio.run(logstate.clear(site.context, site.container))


def test_what_a_log_is_like_comes_from_files_and_shim(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.connect(Shim(state(3, log_waits=True, log_trouble="nobody listens")))
    found = asyncio.run(logstate.state(site.context, site.container))
    assert [Path(file.path).name for file in found.files] == [
        "container.log", "container.log.1", "container.log.2.gz",
    ]  # fmt: skip
    assert (found.driver, found.waits, found.trouble) == ("local", True, "nobody listens")
    assert found.losses == Losses(disk=4, reason="full")
