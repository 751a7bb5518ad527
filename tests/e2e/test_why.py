"""`boxship why`: the causes of ends and restarts as they are, also after the daemon was killed."""

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support import residue
from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

DUTIFUL = ["sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.02; done"]


@pytest.fixture(scope="module")
def _own() -> Iterator[Engine]:
    with Engine() as engine:
        engine.load("busybox")
        yield engine


@pytest.fixture
def own(_own: Engine) -> Iterator[Engine]:
    """A daemon of this module's; its containers go after each test."""
    yield _own
    for container in _own.api.get("/containers/json", all=1).json():
        _own.api.remove(container["Id"])
    eventually(lambda: not _own.remains(), "the end of what containers leave")


def why(engine: Engine, container: str) -> Any:
    reply = engine.api.get(f"/containers/{container}/why")
    assert reply.status == 200, reply.body
    return reply.json()


def up(engine: Engine, name: str, **config: object) -> None:
    """Run a container that heeds SIGTERM, and wait until it does."""
    engine.api.start(engine.api.create(name, Cmd=DUTIFUL, **config))
    eventually(lambda: engine.api.logs(name) == b"up\n", "its trap")


def pid_of(engine: Engine, name: str) -> int:
    return int(engine.api.inspect(name)["State"]["Pid"])


def status(engine: Engine, name: str) -> str:
    return str(engine.api.inspect(name)["State"]["Status"])


def test_who_stopped_it(own: Engine) -> None:
    up(own, "web")
    own.docker("stop", "web")
    found = why(own, "web")
    assert found["Status"] == "exited"
    assert found["Answer"].startswith("It exited with code 7 at ")
    assert " after SIGTERM from docker stop (process " in found["Answer"]
    assert found["Answer"].endswith(f"user {os.getuid()}) to stop it")
    assert [moment["What"] for moment in found["Past"]] == [
        "created",
        "started",
        "SIGTERM sent",
        found["Past"][-1]["What"],
    ]
    assert found["Past"][0]["By"]["Pid"] == os.getpid()  # over the API, by this test itself
    assert found["Past"][2]["By"]["Command"] == "docker stop"
    assert found["Past"][2]["By"]["Agent"].startswith("Docker-Client/")


def test_who_killed_it(own: Engine) -> None:
    for name in ("ours", "theirs"):
        own.api.start(own.api.create(name, Cmd=["sleep", "1000"]))
    own.docker("kill", "ours")
    os.kill(pid_of(own, "theirs"), signal.SIGKILL)
    own.api.wait("theirs")
    answer = why(own, "ours")["Answer"]
    assert answer.startswith("SIGKILL killed it at ")
    assert ", sent by docker kill (process " in answer
    assert why(own, "theirs")["Answer"].endswith(
        "sent from elsewhere than this daemon; the kernel keeps no record of the sender"
    )


@pytest.mark.parametrize(
    ("command", "end"),
    [
        ("exit 0", "It exited with code 0 at {}, by itself"),
        ("exit 127", "It exited with code 127 at {}, by itself (as shells say for a command that "
         "is not found)"),
        ("sh -c 'kill -9 $$'", "It exited with code 137 at {}, by itself (as shells say when "
         "SIGKILL has killed their child)"),
    ],
)  # fmt: skip
def test_ends_of_its_own_accord(own: Engine, command: str, end: str) -> None:
    own.api.start(own.api.create("job", Cmd=["sh", "-c", f"{command}; exit $?"]))
    own.api.wait("job")
    finished = own.api.inspect("job")["State"]["FinishedAt"]
    before, _, after = why(own, "job")["Answer"].partition(finished[:11])
    assert (before, after[after.index("Z") + 1 :]) == tuple(end.split("{}"))


def test_want_of_memory(own: Engine) -> None:
    limit = 32 << 20
    eater = ["sh", "-c", "head -c 200m /dev/zero | tail"]
    own.api.start(own.api.create("eater", Cmd=eater, HostConfig={"Memory": limit}))
    own.api.wait("eater")
    found = why(own, "eater")
    # The kernel takes the first process as well if the eater does not go fast enough.
    one = r"one of its processes at \S+ for want of memory, and it exited with code 137"
    assert re.fullmatch(rf"The kernel killed ({one}|it at \S+ for want of memory)", found["Answer"])
    used = r"It had used up to 33\.[0-9]+MB; its limit is 33\.6MB\."
    assert re.fullmatch(used, found["Facts"][0])


def test_a_refused_start(own: Engine) -> None:
    container = own.api.create("typo", Cmd=["/nope"])
    assert own.api.post(f"/containers/{container}/start").status == 400
    found = why(own, "typo")
    assert found["Answer"].startswith("Its start was refused: ")
    assert "/nope" in found["Answer"]
    assert found["Facts"][0].startswith("The last start, by ")


def test_restart_policies(own: Engine) -> None:
    policy = {"Name": "on-failure", "MaximumRetryCount": 1}
    config = {"RestartPolicy": policy}
    own.api.start(own.api.create("weak", Cmd=["sh", "-c", "exit 3"], HostConfig=config))
    eventually(lambda: status(own, "weak") == "exited", "the end of its retries")
    found = why(own, "weak")
    assert found["Facts"] == ["Its restart policy on-failure:1 has been used up."]
    past = [moment["What"] for moment in found["Past"]]
    assert past[:2] == ["created", "started"]
    assert past[3] == "started again by its restart policy"
    assert past[2] == past[4] == "it exited with code 3, by itself"


def test_an_unhealthy_container_is_ended(own: Engine) -> None:
    check = {"Test": ["CMD-SHELL", "echo no; exit 1"], "Interval": 10**8, "Retries": 1}
    config = {"RestartPolicy": {"Name": "on-unhealthy", "MaximumRetryCount": 1}}
    up(own, "ill", Healthcheck=check, HostConfig=config)
    eventually(lambda: own.api.inspect("ill")["RestartCount"] == 1, "its restart")
    eventually(lambda: status(own, "ill") == "running", "its next run")
    found = why(own, "ill")
    assert "its restart policy on-unhealthy started it again after its end" in found["Answer"]
    assert "SIGTERM from the daemon, because it was unhealthy" in found["Facts"][0]
    assert any("health_status: unhealthy (no)" in m["What"] for m in found["Past"])


def pid_of_cgroup(engine: Engine) -> int:
    """The process of the container that sleeps, found without the daemon."""

    def asleep() -> list[int]:
        return [pid for pid in engine.inhabitants() if residue.title(pid) == "sleep 1000"]

    return eventually(asleep, "somebody to sleep")[0]


def test_what_is_known_outlives_the_daemon(make_engine: Callable[..., Engine]) -> None:
    """Asked to stop it, the daemon is killed before the end; its successor knows who asked."""
    own = make_engine()
    own.start()
    own.load("busybox")
    slow = ["sh", "-c", "trap 'sleep 0.5; exit 7' TERM; echo up; while :; do sleep 0.02; done"]
    always = {"RestartPolicy": {"Name": "always"}}
    own.api.start(own.api.create("slow", Cmd=slow))
    # It does not heed SIGTERM, and nobody waits for it when the daemon stops.
    job = own.api.create("job", Cmd=["sleep", "1000"], HostConfig=always, StopTimeout=0)
    own.api.start(job)
    eventually(lambda: own.api.logs("slow") == b"up\n", "its trap")
    with own.docker.start("stop", "slow") as stopping:
        eventually(lambda: "SIGTERM sent" in str(why(own, "slow")), "the signal")
        own.kill()
        stopping.wait()
    os.kill(pid_of_cgroup(own), signal.SIGKILL)
    own.start()
    own.api.wait("slow")
    found = why(own, "slow")
    assert found["Answer"].startswith("It exited with code 7 at ")
    assert " after SIGTERM from docker stop (process " in found["Answer"]
    eventually(lambda: status(own, "job") == "running", "its next run")
    found = why(own, "job")
    assert "its restart policy always started it again after its end" in found["Answer"]
    assert "SIGKILL killed it" in found["Facts"][0]
    up(own, "web", HostConfig={"RestartPolicy": {"Name": "unless-stopped"}})
    own.stop()
    own.start()
    eventually(lambda: status(own, "web") == "running", "its next run")
    found = why(own, "web")
    wanted = "its restart policy unless-stopped wants it whenever the daemon comes up"
    assert wanted in found["Answer"]
    assert "SIGTERM from the daemon, which was stopped itself" in found["Facts"][0]


def test_one_that_is_gone(own: Engine) -> None:
    brief = ["run", "--rm", "--name=brief", "--network=none", "busybox", "sh", "-c", "exit 5"]
    assert own.docker.run(*brief).code == 5
    eventually(lambda: not own.api.get("/containers/json", all=1).json(), "its removal")
    up(own, "web")
    own.docker("rm", "-f", "web")
    found = why(own, "brief")
    assert found["Answer"].startswith("It was removed by itself, as --rm asks, at ")
    assert found["Facts"][0].startswith("Before that it exited with code 5 at ")
    found = why(own, found["Id"][:12])
    assert found["Name"] == "brief"
    found = why(own, "web")
    assert "It was removed by docker rm (process " in found["Answer"]
    assert "SIGKILL killed it" in found["Facts"][0]
    assert own.api.get("/containers/nobody/why").message == "No such container: nobody"


def test_who_holds_images_volumes_and_networks(own: Engine) -> None:
    own.docker("volume", "create", "data")
    free = own.api.get("/volumes/data/why").json()
    assert (free["Status"], free["Answer"]) == ("unused", "Nobody holds it")
    own.docker("create", "--name=web", "--network=none", "-v=data:/srv:ro", "busybox")
    joins = {"NetworkMode": "container:web"}
    own.api.create("side", HostConfig=joins)
    held = own.api.get("/volumes/data/why").json()
    assert held["Answer"] == ("The container web has it mounted at /srv, read-only, and is created")
    image = own.api.get("/images/busybox:latest/why").json()
    assert {holder["Name"] for holder in image["Holders"]} == {"web", "side"}
    assert image["Status"] == "in use"
    network = own.api.get("/networks/none/why").json()
    assert network["Facts"] == ["It belongs to the daemon, and can't be removed."]
    assert [holder["How"] for holder in why(own, "web")["Holders"]] == ["has its network namespace"]
    assert ("volume", "data") in [(t["Kind"], t["Name"]) for t in why(own, "web")["Takes"]]
    for kind in ("volumes", "networks", "images"):
        assert own.api.get(f"/{kind}/nobody/why").status == 404
    own.api.remove("side")
    own.api.remove("web")
    own.docker("volume", "rm", "data")


def test_ports_and_disk(own: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        held = own.api.get("/boxship/ports/why", port=port).json()
    assert held["Holders"][0]["Id"] == str(os.getpid())
    assert held["Holders"][0]["How"] == f"listens at 127.0.0.1:{port}"
    after = own.api.get("/boxship/ports/why", port=port).json()
    assert str(os.getpid()) not in [holder["Id"] for holder in after["Holders"]]
    for wrong in ({"port": 0}, {"port": 70000}, {"port": "x"}, {"port": 1, "protocol": "y"}):
        assert own.api.get("/boxship/ports/why", **wrong).status == 400
    own.api.create("web")
    disk = own.api.get("/boxship/disk/why").json()
    assert {(taking["Kind"], taking["Name"]) for taking in disk["Takes"]} >= {
        ("image", "busybox:latest"),
        ("container", "web"),
    }


def test_the_command(own: Engine) -> None:
    up(own, "web")
    own.boxship("stop", "web")
    text = own.boxship("why", "web")
    assert text.startswith("Container web (exited)\n  It exited with code 7 at ")
    assert "boxship stop (process " in text
    assert "\nWhat happened\n" in text
    assert own.boxship("why", "busybox").startswith("Image busybox:latest (in use)\n")
    assert own.boxship("why", "--type=port", "1/udp") == "Port 1/udp (free)\n  Nobody holds it."
    assert own.boxship("why", "--type=disk").startswith("Disk ")
    assert '"Answer"' in own.boxship("why", "--format=json", "none")
    for wrong in (["nobody"], ["--type=x", "web"], ["--type=disk", "x"], []):
        assert own.boxship.run("why", *wrong).code != 0
