"""``boxship system check`` beside a working daemon: damage done behind its back is found."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.engine import Engine
from support.images.catalog import ensure

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


@pytest.fixture
def own(make_engine: Callable[..., Engine]) -> Engine:
    engine = make_engine()
    engine.start()
    engine.load("busybox")
    return engine


def tree(engine: Engine) -> Path:
    (layer,) = (engine.data / "layers/sha256").iterdir()
    return layer / "diff"


def config(engine: Engine) -> Path:
    image_id: str = engine.api.get("/images/busybox/json").json()["Id"]
    return engine.data / "blobs/sha256" / image_id.removeprefix("sha256:")


def test_all_is_well(own: Engine) -> None:
    own.docker("create", "--name=box", "busybox", "true")
    done = own.boxship.run("system", "check")
    assert (done.code, done.err) == (0, "")
    assert done.out == "Checked 1 layer, 1 blob and 1 snapshot: everything is whole.\n"
    assert own.boxship("system", "check", "--quiet") == ""


def test_what_can_be_repaired_is(own: Engine) -> None:
    groups = tree(own) / "etc/group"
    mode = groups.lstat().st_mode & 0o7777
    groups.chmod(0o600)
    own.docker("run", "-d", "--name=box", "busybox", "sleep", "1000")
    looked = own.boxship.run("system", "check", "--no-repair")
    assert looked.code == 1
    assert f"etc/group has mode 0600 instead of {mode:04o}" in looked.out
    assert "repairable" in looked.out
    assert groups.lstat().st_mode & 0o7777 == 0o600
    lines = own.boxship("system", "check", "--format=json").splitlines()
    found = [json.loads(line) for line in lines]
    (finding,) = [event for event in found if event["type"] == "finding"]
    assert (finding["outcome"], finding["path"]) == ("repaired", "etc/group")
    assert (found[-1]["type"], found[-1]["repaired"], found[-1]["remaining"]) == ("summary", 1, 0)
    assert groups.lstat().st_mode & 0o7777 == mode


def test_what_is_lost_is_named_and_comes_back_with_the_image(own: Engine) -> None:
    own.docker("create", "--name=box", "busybox", "true")
    with (tree(own) / "etc/group").open("r+b") as stream:
        stream.truncate(2)
    config(own).write_bytes(b"{}")
    done = own.boxship.run("system", "check")
    assert done.code == 1
    lost = [line for line in done.out.splitlines() if line.startswith("lost")]
    assert len(lost) == 2
    assert any("etc/group has 2 bytes" in line for line in lost)
    assert any("its bytes have changed" in line for line in lost)
    assert "  images: busybox:latest" in done.out
    assert "  containers: box" in done.out
    assert "  try: boxship pull busybox:latest, or load it again" in done.out
    assert done.out.splitlines()[-1].endswith("0 repaired, 2 left.")
    own.load("busybox")
    assert own.boxship.run("system", "check").code == 0
    assert own.docker("start", "-a", "box") == ""
    own.stop()
    own.start()  # what was replaced goes now


def test_a_damaged_layer_that_somebody_runs_on_is_replaced_beside_it(own: Engine) -> None:
    own.docker("run", "-d", "--name=box", "--stop-timeout=0", "busybox", "sleep", "1000")
    with (tree(own) / "etc/group").open("r+b") as stream:
        stream.write(b"?")
    assert own.boxship.run("system", "check").code == 1
    own.load("busybox")
    assert own.boxship.run("system", "check").code == 0
    assert own.docker("exec", "box", "ls", "/etc/passwd") == "/etc/passwd"
    own.stop()
    own.start()  # what was replaced goes now


def test_checks_and_other_work_at_the_same_time(own: Engine) -> None:
    archive = ensure("busybox").read_bytes()
    with own.api.stream("POST", "/boxship/system/check?repair=1") as stream:
        own.docker("rmi", "busybox")
        own.api.post("/images/load", archive, quiet=1)
        own.docker("run", "--rm", "busybox", "true")
        events = [json.loads(line) for line in stream.read().splitlines()]
    assert [event for event in events if event["type"] == "finding"] == []
