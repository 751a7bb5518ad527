"""``--storage-opt size=``: what a container writes is limited where the file system can do it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.engine import Engine
from support.mounting import disk_with_projects

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]  # dockerd's is for xfs alone


@pytest.fixture
def limiting(make_engine: Callable[..., Engine], tmp_path: Path) -> Iterator[Engine]:
    """A daemon whose data root is on xfs with project quotas."""
    with disk_with_projects(tmp_path, "xfs") as place:
        engine = make_engine()
        engine.data = place / "data"
        try:
            engine.start()
            engine.load("busybox")
            yield engine
        finally:
            engine.close()


@pytest.mark.option("HostConfig.StorageOpt")
def test_a_container_is_full_and_others_are_not(limiting: Engine) -> None:
    docker = limiting.docker
    fill = "dd if=/dev/zero of=/x bs=64k count=160 2>&1; ls -s /x; df -m / | tail -1"
    create = ("create", "--net=none")
    small = docker(*create, "--storage-opt=size=4m", "busybox", "sh", "-c", fill)
    large = docker(*create, "--storage-opt", "size=16M", "busybox", "sh", "-c", fill)
    free = docker(*create, "busybox", "sh", "-c", fill)
    said = {name: docker("start", "-a", name) for name in (small, large, free)}
    assert "No space left on device" in said[small] or "Disk quota exceeded" in said[small]
    for name in (large, free):
        assert "160+0 records out" in said[name]
    assert said[small].split()[-5] == "4", "df tells the limit"
    assert docker("inspect", "-f", "{{.HostConfig.StorageOpt.size}}", small) == "4m"
    refused = docker.run("create", "--storage-opt=size=big", "busybox")
    assert "invalid --storage-opt size" in refused.err
    docker("rm", small, large, free)
    docker("volume", "create", "-o", "size=4m", "bounded")
    fill = "cat /etc/group; dd if=/dev/zero of=/etc/x bs=64k count=160 2>&1 || true"
    full = docker("run", "--rm", "--net=none", "-v", "bounded:/etc", "busybox", "sh", "-c", fill)
    assert "root:" in full, "it has been filled from the image"
    assert "No space left on device" in full or "Disk quota exceeded" in full
    docker("volume", "rm", "bounded")
    assert not limiting.remains()


def test_a_limit_survives_the_daemon_and_its_number_is_not_given_away(limiting: Engine) -> None:
    docker = limiting.docker
    write = "dd if=/dev/zero of=/$0 bs=64k count=40 2>/dev/null && echo done"
    command = ("--storage-opt=size=4m", "busybox", "sh", "-c", write)
    one = docker("create", "--net=none", *command, "a")
    docker("start", "-a", one)
    limiting.kill()
    limiting.start()
    other = docker("create", "--net=none", *command, "b")
    assert docker("start", "-a", other) == "done"
    docker("rm", one, other)
