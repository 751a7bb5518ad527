"""`boxship image bootstrap` from the mirror that this machine's packages come from."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from support.engine import Engine
from support.programs import needs
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

WITHOUT_NETWORK = ("run", "--rm", "--net=none")
PATIENCE = 200
"""Seconds for the packages of a system, from a mirror and on a machine that others use as well."""


@pytest.fixture(scope="module")
def own() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine
        settled(engine)


@pytest.fixture(scope="module")
def first(own: Engine) -> str:
    """The image's id, after one bootstrap."""
    bootstrap(own, "base:1")
    return image_id(own, "base:1")


def bootstrap(engine: Engine, name: str) -> None:
    arguments = ("image", "bootstrap", "--variant=apt", "-t", name, "debian:bookworm")
    done = engine.boxship.run(*arguments, timeout=PATIENCE)
    assert done.code == 0, done


def image_id(engine: Engine, name: str) -> str:
    return str(engine.api.get(f"/images/{name}/json").json()["Id"])


def names(engine: Engine) -> list[str]:
    """All images there are; one without a name has an empty one."""
    images = engine.api.get("/images/json", all=1).json()
    return sorted(name for one in images for name in one["RepoTags"] or [""])


def settled(engine: Engine) -> None:
    """No container and no temporary file; deleting 30,000 files takes its time."""
    eventually(lambda: not engine.remains(), "the end of what the stages left", timeout=100)


@pytest.mark.timeout(300)
def test_a_system_that_runs(own: Engine, first: str) -> None:
    docker = own.docker
    assert "bookworm" in docker(*WITHOUT_NETWORK, "base:1", "cat", "/etc/os-release")
    assert docker(*WITHOUT_NETWORK, "base:1", "dpkg", "--audit") == ""
    assert docker(*WITHOUT_NETWORK, "base:1", "dpkg", "--verify") == ""
    state = "${db:Status-Abbrev}"
    states = docker(*WITHOUT_NETWORK, "base:1", "dpkg-query", "-W", "-f", f"{state}\\n").split("\n")
    assert {one.strip() for one in states} == {"ii"}
    policy = docker(*WITHOUT_NETWORK, "base:1", "apt-cache", "policy")
    assert "/var/lib/dpkg/status" in policy
    assert docker(*WITHOUT_NETWORK, "base:1", "cat", "/etc/apt/sources.list").startswith("deb http")
    assert (
        docker(*WITHOUT_NETWORK, "base:1", "sh", "-c", "ls /bootstrap /usr/sbin/policy-rc.d; :")
        == ""
    )
    assert names(own) == ["base:1"]


@pytest.mark.timeout(300)
def test_the_same_packages_are_the_same_image(own: Engine, first: str) -> None:
    bootstrap(own, "base:2")
    assert image_id(own, "base:2") == first


@needs("mmdebstrap")
def test_the_packages_that_mmdebstrap_takes(own: Engine, first: str) -> None:
    """The judge of our choice: what its resolver, which is apt's, installs for the variant."""
    listed = own.docker(*WITHOUT_NETWORK, "base:1", "dpkg-query", "-W", "-f", "${Package}\\n")
    command = ["mmdebstrap", "--verbose", "--simulate", "--variant=apt", "--mode=root", "bookworm"]
    done = subprocess.run([*command, "/dev/null"], capture_output=True, text=True, check=True)
    theirs = {
        line.split()[1].partition(":")[0]
        for line in (done.stdout + done.stderr).split("\n")
        if line.startswith("Inst ")
    }
    assert theirs == set(listed.split("\n"))


def test_what_it_says_of_itself(own: Engine, first: str) -> None:
    config = own.api.get("/images/base:1/json").json()
    labels = config["Config"]["Labels"]
    assert labels["org.boxship.bootstrap.variant"] == "apt"
    assert labels["org.boxship.bootstrap.packages"].startswith("sha256:")
    assert "deb http" in labels["org.boxship.bootstrap.sources"]
    history = own.api.get("/images/base:1/history").json()
    assert "image bootstrap --variant apt debian:bookworm" in history[0]["CreatedBy"]
    assert json.dumps(config["Config"]["Cmd"]) == '["bash"]'


def test_a_suite_that_is_not_there(own: Engine, first: str) -> None:
    done = own.boxship.run("image", "bootstrap", "debian:nosuchsuite")
    assert done.code == 1
    assert "has no suite 'nosuchsuite'" in done.err
    assert "" not in names(own)


@pytest.mark.timeout(300)
def test_an_interrupted_one_leaves_nothing(own: Engine, first: str) -> None:
    before = names(own)
    client = own.boxship.start("image", "bootstrap", "--variant=essential", "debian:bookworm")
    eventually(lambda: own.api.get("/containers/json").json(), "the container", timeout=60)
    client.send_signal(2)
    client.communicate(timeout=60)
    assert client.returncode != 0
    assert names(own) == before
    settled(own)
