"""Requests that make sense to nobody, and what they meet: an answer that says so, and no harm."""

import io
import tarfile

import pytest

from support.engine import Engine
from support.tars import Member, tar

pytestmark = pytest.mark.privileged


@pytest.fixture
def box(engine: Engine) -> str:
    """A container that runs."""
    name = engine.api.create("odd", Cmd=["sleep", "1000000"], StopTimeout=0)
    engine.api.start(name)
    return name


def test_the_kernels_file_systems_are_no_files_of_a_container(engine: Engine, box: str) -> None:
    """`/proc/kmsg` would wait for ever, and what is written there changes the machine."""
    where = f"/containers/{box}/archive"
    reply = engine.api.request("GET", where, query={"path": "/"})
    with tarfile.open(fileobj=io.BytesIO(reply.body)) as found:
        names = [name.strip("/") for name in found.getnames()]
    assert {"proc", "sys", "bin/busybox"} <= set(names)
    assert [name for name in names if name.startswith(("proc/", "sys/", "dev/pts/"))] == []
    for path in ("/proc/1/status", "/sys/kernel", "/proc/self/root/etc/passwd"):
        assert engine.api.request("GET", where, query={"path": path}).status == 404
    archive = tar(Member("ip_forward", b"1"))
    reply = engine.api.request("PUT", where, archive, query={"path": "/proc/sys/net/ipv4"})
    assert reply.status == 404, reply.body


@pytest.mark.boxshipd
@pytest.mark.parametrize(
    ("path", "message"),
    [("/a\0b", "path has a null byte in it"), ("/" + "x" * 5000, "path is too long")],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_paths_that_cannot_be(
    engine: Engine, box: str, method: str, path: str, message: str
) -> None:
    reply = engine.api.request(method, f"/containers/{box}/archive", b"", query={"path": path})
    assert reply.status == 400
    assert method == "HEAD" or message in reply.message


def test_what_has_no_terminal_has_no_size(engine: Engine, box: str) -> None:
    assert engine.api.post(f"/containers/{box}/resize", h=10, w=20).status == 200
    made = engine.api.post(f"/containers/{box}/exec", {"Cmd": ["sleep", "1000000"]}).json()["Id"]
    assert engine.api.post(f"/exec/{made}/start", {"Detach": True}).status == 200
    assert engine.api.post(f"/exec/{made}/resize", h=10, w=20).status == 200
