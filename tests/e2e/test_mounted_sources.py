"""Images that are mounted, and parts of volumes: read-only, held, and never out of their root."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.cli import Cli
from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]  # Debian's dockerd has neither

RUN = ("run", "--rm", "--net=none")


def image(*more: str) -> str:
    return ",".join(("--mount=type=image,src=busybox,dst=/other", *more))


def part(path: str, *more: str) -> str:
    return ",".join(("--mount=type=volume,src=parts,dst=/part", f"volume-subpath={path}", *more))


@pytest.fixture
def parts(docker: Cli) -> Iterator[None]:
    """A volume with a directory, a file, and links that lead out of it."""
    script = "cd /v; mkdir -p a/b; echo deep > a/b/f; ln -s / out; ln -s ../../.. up; ln -s a in"
    docker(*RUN, "-v", "parts:/v", "busybox", "sh", "-c", script)
    yield
    docker("volume", "rm", "parts")


@pytest.mark.option("HostConfig.Mounts[].ImageOptions")
def test_an_image(docker: Cli) -> None:
    inside = docker(*RUN, image(), "busybox", "ls", "/other").split()
    assert "etc" in inside
    assert "proc" not in inside  # the image's files and nothing that containers have besides
    for options in ((), ("readonly=false",)):
        refused = docker.run(*RUN, image(*options), "busybox", "touch", "/other/x")
        assert "Read-only file system" in refused.err
    docker("create", "--name=one", "--net=none", image(), "busybox", "true")
    (row,) = json.loads(docker("inspect", "-f", "{{json .Mounts}}", "one"))
    assert (row["Type"], row["Source"], row["RW"]) == ("image", "busybox", False)


@pytest.mark.option("HostConfig.Mounts[].ImageOptions.Subpath")
def test_a_part_of_an_image(docker: Cli) -> None:
    assert docker(*RUN, image("image-subpath=etc/"), "busybox", "cat", "/other/passwd").startswith(
        "root:"
    )
    one_file = image("image-subpath=etc/passwd")
    assert docker(*RUN, one_file, "busybox", "cat", "/other").startswith("root:")
    missing = docker.run(*RUN, image("image-subpath=no/such"), "busybox", "true")
    assert (missing.code, "no/such" in missing.err) == (127, True)


def test_an_image_that_is_mounted_is_in_use(docker: Cli, engine: Engine) -> None:
    layered = docker("create", "--net=none", "busybox", "true")
    docker("cp", "/etc/hostname", f"{layered}:/added")
    docker("commit", layered, "layered")
    docker("rm", layered)
    source = "--mount=type=image,src=layered,dst=/other"
    docker("create", "--name=user", "--net=none", source, "busybox", "cat", "/other/added")
    refused = docker.run("rmi", "layered")
    assert "image is being used" in refused.err or "is using its referenced image" in refused.err
    assert docker("image", "prune", "-af") is not None
    assert docker("start", "-a", "user") == Path("/etc/hostname").read_text().strip()
    assert docker("cp", "user:/other/added", "-") != ""
    docker("rm", "user")
    docker("rmi", "layered")


@pytest.mark.option("HostConfig.Mounts[].VolumeOptions.Subpath")
@pytest.mark.usefixtures("parts")
def test_a_part_of_a_volume(docker: Cli) -> None:
    show = ("busybox", "cat", "/part/b/f")
    assert docker(*RUN, part("a"), *show) == "deep"
    assert docker(*RUN, part("in"), *show) == "deep"  # a link within
    assert docker(*RUN, part("a/b/f"), "busybox", "cat", "/part") == "deep"
    assert docker(*RUN, part("./a/../a/b"), "busybox", "cat", "/part/f") == "deep"
    docker(*RUN, part("a/b"), "busybox", "sh", "-c", "echo more > /part/g")
    assert docker(*RUN, part("a/b/g", "readonly"), "busybox", "cat", "/part") == "more"
    refused = docker.run(*RUN, part("a", "readonly"), "busybox", "touch", "/part/x")
    assert "Read-only file system" in refused.err


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize(
    ("path", "code"),
    [("out", 125), ("up", 125), ("out/etc", 125), ("a/no-such", 127), ("a/b/f/g", 125)],
)
def test_what_leads_out_or_nowhere_is_refused_at_the_start(
    docker: Cli, path: str, code: int
) -> None:
    """The client ends as with Docker's daemon: it makes the code of the words it is told."""
    done = docker.run(*RUN, part(path), "busybox", "ls", "/part")
    assert (done.code, f"subpath '{path}' of parts: " in done.err) == (code, True), done


@pytest.mark.parametrize("path", ["..", "../x", "/etc", "a/../../b"])
def test_a_path_that_cannot_be_within_is_refused_at_create(docker: Cli, path: str) -> None:
    for option in (part(path), image(f"image-subpath={path}")):
        done = docker.run("create", option, "busybox", "true")
        assert "subpath must be a relative path within the " in done.err
    assert docker.run("volume", "inspect", "parts").code == 1


@pytest.mark.usefixtures("parts")
def test_a_copy_into_one_that_does_not_run_goes_to_the_part(docker: Cli, tmp_path: Path) -> None:
    docker("create", "--name=one", "--net=none", part("a/b"), "busybox", "cat", "/part/new")
    (tmp_path / "new").write_text("from outside\n")
    docker("cp", str(tmp_path / "new"), "one:/part/new")
    assert docker("start", "-a", "one") == "from outside"
    docker("rm", "one")
    assert docker(*RUN, "-v", "parts:/v", "busybox", "cat", "/v/a/b/new") == "from outside"


def test_they_are_there_as_long_as_it_runs_and_survive_the_daemon(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine()
    engine.start()
    engine.load("busybox")
    options = (image("image-subpath=bin"), "--mount=type=image,src=busybox,dst=/all")
    engine.docker("run", "-d", "--name=one", "--net=none", *options, "busybox", "sleep", "1000")
    assert len(sources(engine)) == 2
    engine.kill()
    engine.start()
    assert engine.docker("exec", "one", "test", "-x", "/other/sh") == ""
    engine.docker("kill", "one")
    engine.docker("wait", "one")
    assert sources(engine) == []
    # A daemon that dies before it could unmount: the next one does.
    engine.docker("start", "one")
    running = int(engine.docker("inspect", "-f", "{{.State.Pid}}", "one"))
    engine.kill()
    os.kill(running, signal.SIGKILL)
    eventually(lambda: not os.path.exists(f"/proc/{running}"), "its end")
    engine.start()
    eventually(lambda: sources(engine) == [], "the end of what was mounted for it")
    engine.docker("rm", "one")


def sources(engine: Engine) -> list[Any]:
    place = engine.exec / "sources"
    return sorted(place.glob("*/*"))
