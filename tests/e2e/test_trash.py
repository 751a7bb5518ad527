"""The trash: what is removed can be brought back until its time is over."""

import json
import os
from collections.abc import Callable, Iterator

import pytest

from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

RUN = ("run", "--net=none")
WRITE = "echo volume > /d/file; echo anonymous > /a/file; echo own > /own; echo told"
READ = ("cat", "/own", "/d/file", "/a/file")


@pytest.fixture(scope="module")
def _keeping() -> Iterator[Engine]:
    with Engine("--trash-retention=1h") as engine:
        engine.load("busybox")
        yield engine


@pytest.fixture
def keeping(_keeping: Engine) -> Iterator[Engine]:
    """A daemon with a trash, which is empty before each test."""
    yield _keeping
    for container in _keeping.api.get("/containers/json", all=1).json():
        _keeping.api.remove(container["Id"])
    for volume in _keeping.docker("volume", "ls", "-q").split():
        _keeping.docker("volume", "rm", volume)
    _keeping.boxship("system", "trash", "empty", "--force")
    eventually(lambda: not _keeping.remains(), "the end of what was removed")


def removed(engine: Engine) -> list[tuple[str, str]]:
    return [(row["Type"], row["Name"]) for row in engine.api.get("/system/trash").json()]


def test_a_container_comes_back_with_its_volumes(keeping: Engine) -> None:
    docker, boxship = keeping.docker, keeping.boxship
    made = (*RUN, "--name", "web", "-v", "data:/d", "-v", "/a", "--label", "x=y")
    docker(*made, "busybox", "sh", "-c", WRITE)
    before = json.loads(docker("inspect", "web"))[0]
    docker("rm", "-v", "web")
    docker("volume", "rm", "data")
    assert docker("ps", "-aq") == docker("volume", "ls", "-q") == ""
    assert sorted(kind for kind, _ in removed(keeping)) == ["container", "volume", "volume"]
    boxship("system", "trash", "restore", "web")
    after = json.loads(docker("inspect", "web"))[0]
    for field in ("Id", "Name", "Created", "State", "Config", "HostConfig", "Mounts", "Image"):
        assert after[field] == before[field], field
    assert docker("logs", "web") == "told"
    assert len(docker("volume", "ls", "-q").split()) == 2
    docker("commit", "web", "read")
    assert docker(*RUN, "--rm", "--volumes-from", "web", "read", *READ) == "own\nvolume\nanonymous"
    docker("rmi", "read")
    assert "web" not in str(removed(keeping))


def test_one_that_ran_comes_back_at_rest(keeping: Engine) -> None:
    keeping.docker(*RUN, "-d", "--restart=always", "--name", "runs", "busybox", "sleep", "9999")
    keeping.docker("rm", "-f", "runs")
    keeping.boxship("system", "trash", "restore", "runs")
    shown = keeping.docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "runs")
    assert shown == "exited 137"
    keeping.docker("start", "runs")
    assert keeping.docker("inspect", "-f", "{{.State.Status}}", "runs") == "running"


def test_images_come_back_with_their_names(keeping: Engine) -> None:
    docker, boxship = keeping.docker, keeping.boxship
    docker(*RUN, "--name", "maker", "busybox", "sh", "-c", "echo kept > /file")
    docker("commit", "maker", "kid:1")
    docker("tag", "kid:1", "kid:2")
    docker("rm", "maker")
    docker("image", "prune", "--all", "--force", "--filter", "label!=none")
    names = ("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
    assert docker(*names) == ""
    for name in ("kid:1", "busybox:latest"):
        reply = keeping.api.post(f"/system/trash/{name}/restore")
        assert reply.status == 200, reply.body
    assert len(docker(*names).splitlines()) == 3
    assert docker(*RUN, "--rm", "kid:1", "cat", "/file") == "kept"
    docker("rmi", "kid:1")
    docker("rmi", "kid:2")  # with it goes the image of both
    boxship("system", "trash", "restore", "kid:1")
    assert docker(*RUN, "--rm", "kid:1", "cat", "/file") == "kept"
    assert "everything is whole" in boxship("system", "check")
    docker("rmi", "kid:1", "kid:2")


def test_a_name_that_is_taken_is_not_taken_away(keeping: Engine) -> None:
    docker, boxship, api = keeping.docker, keeping.boxship, keeping.api
    docker("volume", "create", "data")
    docker("create", "--name", "web", "--net=none", "busybox", "true")
    docker("rm", "web")
    docker("volume", "rm", "data")
    docker("volume", "create", "data")
    docker("create", "--name", "web", "--net=none", "busybox", "true")
    for name in ("web", "data"):
        reply = api.post(f"/system/trash/{name}/restore")
        assert (reply.status, name in reply.message) == (409, True), reply.body
        boxship("system", "trash", "restore", name, "--name", f"{name}-again")
    assert "data-again" in docker("volume", "ls", "-q")
    assert "web-again" in docker("ps", "-a", "--format", "{{.Names}}")
    docker("tag", "busybox", "other:1")
    docker("rmi", "other:1")
    docker(*RUN, "--name", "maker", "busybox", "touch", "/x")
    docker("commit", "maker", "other:1")
    reply = api.post("/system/trash/other:1/restore")
    assert (reply.status, "is the name of another image" in reply.message) == (409, True)
    docker("rmi", "other:1")


def test_what_a_container_needs_may_be_gone_for_good(keeping: Engine) -> None:
    keeping.docker("create", "--name", "web", "-v", "data:/d", "--net=none", "busybox", "true")
    keeping.docker("rm", "web")
    keeping.docker("volume", "rm", "data")
    keeping.boxship("system", "trash", "empty", "--force", "data")
    reply = keeping.api.post("/system/trash/web/restore")
    assert (reply.status, "its volume data is gone" in reply.message) == (409, True)
    assert removed(keeping) == [("container", "web")]


def test_what_removes_itself_is_not_kept(keeping: Engine) -> None:
    keeping.docker(*RUN, "--rm", "-v", "/a", "busybox", "true")
    eventually(lambda: not keeping.docker("volume", "ls", "-q"), "the end of its volume")
    assert removed(keeping) == []


def test_layers_stay_for_what_is_in_the_trash(keeping: Engine) -> None:
    docker, boxship = keeping.docker, keeping.boxship
    docker(*RUN, "--name", "maker", "busybox", "sh", "-c", "echo layer > /file")
    docker("commit", "maker", "kid")
    docker("create", "--name", "user", "--net=none", "kid", "cat", "/file")
    docker("rm", "maker", "user")
    docker("rmi", "kid")
    boxship("system", "trash", "empty", "--force", "kid")
    boxship("system", "trash", "restore", "user")
    assert docker("start", "-a", "user") == "layer"


def test_df_shows_it_and_emptying_frees_it(keeping: Engine) -> None:
    docker, boxship = keeping.docker, keeping.boxship
    fill = ("sh", "-c", "head -c 9000 /dev/zero >/d/f")
    docker(*RUN, "--name", "big", "-v", "data:/d", "busybox", *fill)
    docker("rm", "big")
    freed = docker("volume", "prune", "--all", "--force").splitlines()[-1]
    assert freed == "Total reclaimed space: 0B"
    row = "{{.Type}} {{.TotalCount}} {{.Size}}"
    assert "Trash 2 9kB" in boxship("system", "df", "--format", row)
    assert keeping.api.get("/system/df").json()["TrashUsage"]["TotalSize"] == 9000
    refused = boxship.run("system", "trash", "empty", stdin="n\n")
    assert "for good" in refused.out, refused
    assert len(removed(keeping)) == 2
    done = boxship("system", "trash", "empty", "--force")
    assert done.splitlines()[-1] == "Total reclaimed space: 9kB"
    eventually(lambda: not os.listdir(keeping.data / "volumes"), "the end of its files")


def test_what_is_asked_wrongly_is_refused(keeping: Engine) -> None:
    for path in ("/system/trash/nothing/restore", "/system/trash/empty?id=nothing"):
        reply = keeping.api.post(path)
        assert (reply.status, reply.message) == (404, "no nothing in the trash")
    assert "say what to do" in keeping.boxship.run("system", "trash", "burn").err


def test_another_daemon_goes_on_with_it(make_engine: Callable[..., Engine]) -> None:
    """It expires also while no daemon runs; and there is none unless it is asked for."""
    engine = make_engine("--trash-retention=1h")
    engine.start()
    engine.load("busybox")
    engine.docker("volume", "create", "data")
    engine.docker("create", "--name", "web", "--net=none", "busybox", "true")
    engine.docker("rm", "web")
    engine.docker("volume", "rm", "data")
    engine.kill()
    engine.change_flag("--trash-retention=1h", "--trash-retention=2s")
    engine.start()
    assert sorted(removed(engine)) == [("container", "web"), ("volume", "data")]
    for name in ("web", "data"):
        engine.boxship("system", "trash", "restore", name)
    engine.docker("start", "-a", "web")
    engine.docker("volume", "rm", "data")  # for two seconds from now on
    eventually(lambda: removed(engine) == [], "the end of its time")
    eventually(lambda: not os.listdir(engine.data / "volumes"), "the end of its files")
    engine.docker("rm", "web")
    engine.stop()
    engine.change_flag("--trash-retention=2s", "--debug")
    engine.start()
    eventually(lambda: not engine.remains(), "the end of what expired")
    engine.docker("volume", "create", "data")
    engine.docker("volume", "rm", "data")
    assert removed(engine) == []
    assert "TrashUsage" not in engine.api.get("/system/df").json()
