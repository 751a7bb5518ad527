"""Containers on either storage driver, on stacks of many layers, and a daemon that changes both."""

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.engine import Engine
from support.images.catalog import ensure
from support.tars import Member, tar

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


def test_containers_go_on_with_the_driver_that_made_them(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine("--storage-driver=vfs")
    engine.start()
    engine.load("busybox")
    assert engine.docker("info", "--format", "{{.Driver}}") == "vfs"
    engine.docker("create", "--name=one", "busybox", "sh", "-c", "echo >>/kept; wc -l </kept")
    assert engine.docker("start", "-a", "one") == "1"
    assert engine.docker("inspect", "-f", "{{.Driver}} {{.GraphDriver.Name}}", "one") == "vfs vfs"
    assert engine.docker("ps", "-as", "--format", "{{.Size}}").startswith("1B")
    engine.stop()
    engine.change_flag("--storage-driver=vfs", "--storage-driver=overlay2")
    engine.start()
    assert engine.docker("info", "--format", "{{.Driver}}") == "overlay2"
    assert engine.docker("start", "-a", "one") == "2"
    assert engine.docker("run", "--name=two", "busybox", "cat", "/etc/passwd").startswith("root")
    assert engine.docker("inspect", "-f", "{{.Driver}}", "one", "two").split() == [
        "vfs", "overlay2",
    ]  # fmt: skip
    engine.docker("rm", "one", "two")


@pytest.fixture(scope="module")
def vfs() -> Iterator[Engine]:
    with Engine("--storage-driver=vfs") as engine:
        engine.load("busybox")
        yield engine


@pytest.mark.parametrize("options", [(), ("--privileged",), ("--read-only",), ("--runtime=runc",)])
def test_a_directory_as_root(vfs: Engine, options: tuple[str, ...]) -> None:
    script = "stat -c %u /bin/busybox; grep ' / ' /proc/mounts; touch /x && rm /x"
    done = vfs.docker.run("run", "--rm", *options, "busybox", "sh", "-c", script)
    owner, mount = done.out.splitlines()
    assert owner == "0"
    assert "overlay" not in mount
    assert (" ro," in mount) is ("--read-only" in options)
    assert (done.code == 0) is ("--read-only" not in options)


def test_a_directory_as_root_is_explained(vfs: Engine) -> None:
    vfs.docker("create", "--name=box", "busybox", "true")
    assert "mount --bind" in vfs.boxship("explain", "--format=script", "box")
    vfs.docker("rm", "box")


def test_an_unknown_driver_ends_the_daemon(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine("--storage-driver=aufs")
    ended = subprocess.run(engine.command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "invalid storage-driver: aufs (one of overlay, overlay2" in ended.stderr


@pytest.mark.parametrize("height", [300])
def test_an_image_of_many_layers_runs(engine: Engine, tmp_path: Path, height: int) -> None:
    raised = tmp_path / "raised.tar"
    raise_height(ensure("busybox"), raised, height)
    engine.docker("load", "-i", str(raised))
    try:
        script = "cat /n; echo; ls / | grep -c layer; echo x >/layer7; cat /layer7"
        assert engine.docker("run", "--rm", f"high:{height}", "sh", "-c", script).split() == [
            str(height - 1), str(height - 1), "x",
        ]  # fmt: skip
    finally:
        engine.docker("rmi", "-f", f"high:{height}")


def raise_height(source: Path, target: Path, height: int) -> None:
    """Put layers onto the one of the image until there are `height`, each with two small files."""
    with tarfile.open(source) as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(archive.extractfile(manifest["Config"]))  # type: ignore[arg-type]
        layers = [archive.extractfile(name).read() for name in manifest["Layers"]]  # type: ignore[union-attr]
    while len(layers) < height:
        number = b"%d" % len(layers)
        layers.append(tar(Member("n", number), Member(f"layer{len(layers)}", number)))
    config["rootfs"]["diff_ids"] = [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in layers]
    config["history"] = []
    names = [f"{n}.tar" for n in range(height)]
    manifest = {"Config": "config.json", "RepoTags": [f"high:{height}"], "Layers": names}
    files = {"manifest.json": json.dumps([manifest]).encode()}
    files |= {"config.json": json.dumps(config).encode(), **dict(zip(names, layers, strict=True))}
    with tarfile.open(target, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
