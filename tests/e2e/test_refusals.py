"""What is wrong is refused with Docker's code and a clear word, and leaves nothing half-made."""

import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.engine import Engine
from support.images.catalog import ensure

pytestmark = pytest.mark.privileged


def images(engine: Engine) -> list[str]:
    return sorted(one["Id"] for one in engine.api.get("/images/json", all=1).json())


def load(engine: Engine, archive: bytes) -> str:
    """The error that loading `archive` gives, before or after the header."""
    reply = engine.api.post("/images/load", archive, quiet=1)
    if reply.status >= 400:
        return reply.message
    errors = [json.loads(line).get("error") for line in reply.body.splitlines()]
    return "".join(error for error in errors if error)


def test_an_archive_that_is_none(engine: Engine) -> None:
    before = images(engine)
    assert load(engine, b"this is no tar file" * 1000)
    assert images(engine) == before
    assert not engine.remains()


def test_an_archive_that_is_cut_off(engine: Engine) -> None:
    before = images(engine)
    whole = ensure("busybox").read_bytes()
    assert load(engine, whole[: len(whole) // 2])
    assert images(engine) == before
    assert not engine.remains()


def test_a_layer_that_is_not_what_the_image_says(engine: Engine) -> None:
    """The image's configuration names another diff id than its layer has."""
    before = images(engine)
    forged = io.BytesIO()
    with tarfile.open(ensure("busybox")) as good, tarfile.open(fileobj=forged, mode="w") as bad:
        for member in good.getmembers():
            content = good.extractfile(member)
            data = content.read() if content else b""
            if member.name.endswith(".json") and member.name != "manifest.json":
                (diff_id,) = json.loads(data)["rootfs"]["diff_ids"]
                data = data.replace(diff_id.encode(), b"sha256:" + b"1" * 64)
            bad.addfile(member, io.BytesIO(data))
    assert load(engine, forged.getvalue())
    assert images(engine) == before
    assert not engine.remains()


@pytest.mark.option("Image")
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/containers/none/json", None, 404),
        ("POST", "/containers/none/start", None, 404),
        ("DELETE", "/containers/none", None, 404),
        ("GET", "/images/none/json", None, 404),
        ("DELETE", "/images/none", None, 404),
        ("GET", "/no/such/page", None, 404),
        ("POST", "/containers/create", {"Image": "no-such-image"}, 404),
        ("POST", "/containers/create?name=bad/name", {"Image": "busybox"}, 400),
    ],
)
def test_statuses(engine: Engine, method: str, path: str, body: object, status: int) -> None:
    reply = engine.api.request(method, path, body)
    assert (reply.status, bool(reply.message)) == (status, True)


def test_conflicts(engine: Engine) -> None:
    container = engine.api.create("web", Cmd=["sleep", "1000"])
    again = engine.api.post("/containers/create", {"Image": "busybox"}, name="web")
    assert again.status == 409
    engine.api.start(container)
    assert engine.api.post(f"/containers/{container}/start").status == 304
    assert engine.api.delete(f"/containers/{container}").status == 409
    assert engine.api.delete("/images/busybox").status == 409
    assert engine.api.post(f"/containers/{container}/unpause").status in {409, 500}


def test_a_command_that_fails_to_start_leaves_a_created_container(engine: Engine) -> None:
    container = engine.api.create("web", Cmd=["/no/such/command"])
    reply = engine.api.post(f"/containers/{container}/start")
    assert reply.status in {400, 404, 500}
    assert "/no/such/command" in reply.message
    state = engine.api.inspect(container)["State"]
    assert (state["Status"], state["ExitCode"]) == ("created", 127)
    assert engine.inhabitants() == []


@pytest.mark.boxshipd
def test_what_is_not_there_yet_says_so(engine: Engine) -> None:
    for path in ["/swarm/init", "/swarm/join"]:
        reply = engine.api.post(path, {"Name": "x"})
        assert reply.status in {404, 501}, path


def test_a_network_that_is_missing_is_told_at_the_start(engine: Engine) -> None:
    container = engine.api.create("web", Cmd=["true"], HostConfig={"NetworkMode": "nope"})
    reply = engine.api.post(f"/containers/{container}/start")
    assert reply.status == 404
    assert "network nope not found" in reply.message
    assert engine.api.inspect(container)["State"]["Status"] == "created"


@pytest.fixture
def full_disk(make_engine: Callable[..., Engine], tmp_path: Path) -> Iterator[Engine]:
    """A daemon whose data root has 24 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], check=True)
    engine = make_engine()
    engine.data = disk / "data"
    engine.start()
    yield engine
    engine.close()
    subprocess.run(["umount", disk], check=True)


@pytest.mark.boxshipd
def test_a_full_disk(full_disk: Engine) -> None:
    engine = full_disk
    engine.load("busybox")
    before = images(engine)
    assert "no space left on device" in load(engine, ensure("debian").read_bytes()).lower()
    assert images(engine) == before
    assert not engine.remains()
    with (engine.data / "filler").open("wb") as filler, pytest.raises(OSError, match="No space"):
        while True:
            filler.write(bytes(1 << 20))
            filler.flush()
    done = engine.docker.run("run", "--rm", "busybox", "true")
    assert done.code == 125
    assert "no space left on device" in done.err.lower()
    assert engine.docker("ps", "-aq") == ""
    (engine.data / "filler").unlink()
    assert not engine.remains()
    assert engine.docker("run", "--rm", "busybox", "echo", "hi") == "hi"
