"""Sockets that can do what was said, attacked through Docker's own client and by hand."""

import io
import json
import re
import socket
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.api import Api
from support.cli import Cli
from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

QUIET = ("--net=none",)


@dataclass(frozen=True)
class Scope:
    """One socket with limits, and clients that use it."""

    path: Path
    docker: Cli
    api: Api


@dataclass
class Place:
    """A daemon with a container of somebody else's, and scopes that are removed at the end."""

    engine: Engine
    theirs: str
    made: list[str] = field(default_factory=list)

    def scope(self, name: str, *allow: str, label: str = "team=ci") -> Scope:
        words = [word for each in allow for word in ("--allow", each)]
        labels = ["--label", label] if label else []
        path = Path(self.engine.boxship("system", "socket", "create", name, *words, *labels))
        self.made.append(name)
        docker = Cli(self.engine.docker.program, {
            "DOCKER_HOST": f"unix://{path}", "DOCKER_CONFIG": str(self.engine.home / "docker"),
        })  # fmt: skip
        return Scope(path, docker, Api(path))

    def clear(self) -> None:
        for name in self.made:
            self.engine.boxship.run("system", "socket", "rm", name)
        self.made.clear()
        for row in self.engine.api.get("/containers/json", all=1).json():
            if row["Names"] != ["/theirs"]:
                self.engine.api.remove(row["Id"])
        for volume in self.engine.api.get("/volumes").json()["Volumes"] or ():
            if volume["Name"] != "theirs":
                self.engine.api.delete(f"/volumes/{volume['Name']}")

    def audit(self, *flags: str) -> list[dict[str, Any]]:
        told = self.engine.boxship("system", "socket", "audit", "--format=json", *flags)
        return [json.loads(line) for line in told.splitlines()]


@pytest.fixture(scope="module")
def _place() -> Iterator[Place]:
    with Engine() as engine:
        engine.load("busybox")
        engine.api.post("/volumes/create", {"Name": "theirs"})
        command = ("sh", "-c", "echo secret; exec sleep 1000")
        theirs = engine.docker(
            *("run", "-d", "--name=theirs", "-v", "theirs:/v", *QUIET, "busybox", *command)
        )
        # Until then it is another process to whoever takes stock of what runs.
        eventually(lambda: "sleep 1000" in engine.docker("top", theirs), "the shell to be replaced")
        yield Place(engine, theirs)
        engine.api.remove(theirs)
        engine.api.delete("/volumes/theirs")


@pytest.fixture
def place(_place: Place) -> Iterator[Place]:
    yield _place
    _place.clear()


def test_docker_s_client_works_within_a_scope(place: Place) -> None:
    docker = place.scope("ci", "containers:*", "images:use").docker
    assert docker("run", "--name=mine", *QUIET, "busybox", "echo", "hello") == "hello"
    assert docker("ps", "-a", "--format={{.Names}}") == "mine"
    assert docker("logs", "mine") == "hello"
    assert docker("inspect", "mine", "--format={{json .Config.Labels}}") == '{"team":"ci"}'
    running = docker("run", "-d", *QUIET, "busybox", "sleep", "1000")
    assert docker("exec", running, "echo", "inside") == "inside"
    docker("cp", f"{running}:/etc/passwd", str(place.engine.home / "passwd"))
    docker("rm", "-f", running, "mine")
    assert place.engine.docker("ps", "-a", "--format={{.Names}}") == "theirs"


def test_only_what_is_allowed_can_be_done(place: Place) -> None:
    docker = place.scope("ci", "containers:read,logs").docker
    place.engine.docker("run", "--name=mine", "--label=team=ci", *QUIET, "busybox", "echo", "x")
    assert docker("logs", "mine") == "x"
    for command, lacking in (
        (("start", "mine"), "containers:start"),
        (("rm", "mine"), "containers:remove"),
        (("run", *QUIET, "busybox", "true"), "containers:create"),
        (("exec", "mine", "true"), "containers:exec"),
        (("images",), "images:read"),
        (("volume", "ls"), "volumes:read"),
        (("pull", "busybox"), "images:pull"),
    ):
        done = docker.run(*command)
        assert done.code != 0
        assert f"the scope ci does not allow this: it lacks {lacking}" in done.err, done


THEIRS = (
    ("GET", "/containers/{id}/json"), ("GET", "/containers/{id}/logs?stdout=1"),
    ("GET", "/containers/{id}/top"), ("GET", "/containers/{id}/stats?stream=0"),
    ("GET", "/containers/{id}/changes"), ("GET", "/containers/{id}/export"),
    ("GET", "/containers/{id}/archive?path=/etc/passwd"),
    ("POST", "/containers/{id}/start"), ("POST", "/containers/{id}/stop"),
    ("POST", "/containers/{id}/kill"), ("POST", "/containers/{id}/restart"),
    ("POST", "/containers/{id}/pause"), ("POST", "/containers/{id}/unpause"),
    ("POST", "/containers/{id}/wait"), ("POST", "/containers/{id}/update"),
    ("POST", "/containers/{id}/rename?name=x"), ("POST", "/containers/{id}/resize?h=1&w=1"),
    ("POST", "/containers/{id}/attach?stream=1&stdout=1"),
    ("DELETE", "/containers/{id}?force=1"),
)  # fmt: skip


def test_what_lacks_the_label_is_not_there(place: Place) -> None:
    scope = place.scope("ci", "*")
    for reference in ("theirs", place.theirs, place.theirs[:12]):
        for method, path in THEIRS:
            body: object = {} if method == "POST" else None
            reply = scope.api.request(method, path.format(id=reference), body)
            assert reply.status == 404, (method, path, reply)
        reply = scope.api.post(f"/containers/{reference}/exec", {"Cmd": ["true"]})
        assert reply.status == 404
    assert scope.api.request("PUT", "/containers/theirs/archive?path=/", b"").status == 404
    assert scope.api.get("/containers/json", all=1).json() == []
    assert scope.api.get("/containers/json", all=1, limit=1).json() == []
    assert scope.api.get("/containers/json", filters='{"before":["theirs"]}').status == 404
    assert not scope.api.get("/volumes").json()["Volumes"]
    assert scope.api.get("/volumes/theirs").status == 404
    assert scope.api.delete("/volumes/theirs").status == 404
    assert scope.api.get("/images/json").json() == []
    assert scope.api.get("/images/busybox/json").status == 404
    assert scope.api.delete("/images/busybox").status == 404
    assert scope.api.get("/networks").json() == []
    assert scope.api.get("/networks/bridge").status == 404
    running = place.engine.api.inspect("theirs")["State"]
    assert running["Running"]
    assert not running["Paused"]


def test_an_exec_of_another_s_container_is_not_there(place: Place) -> None:
    scope = place.scope("ci", "*")
    made = place.engine.api.post("/containers/theirs/exec", {"Cmd": ["true"]}).json()["Id"]
    assert scope.api.get(f"/exec/{made}/json").status == 404
    assert scope.api.post(f"/exec/{made}/start", {"Detach": True}).status == 404
    assert scope.api.post(f"/exec/{made}/resize?h=1&w=1").status == 404


BEYOND = (
    ("POST", "/build"), ("POST", "/build/prune"), ("POST", "/session"), ("POST", "/grpc"),
    ("POST", "/commit?container=theirs"), ("POST", "/images/load"), ("GET", "/images/get"),
    ("POST", "/images/busybox/tag?repo=x"), ("POST", "/images/busybox/push"),
    ("POST", "/images/prune"), ("POST", "/containers/prune"), ("POST", "/volumes/prune"),
    ("POST", "/networks/prune"), ("GET", "/system/df"), ("GET", "/plugins"),
    ("POST", "/auth"), ("GET", "/swarm"), ("POST", "/swarm/init"), ("GET", "/metrics"),
    ("GET", "/debug/vars"), ("GET", "/boxship/sockets"), ("POST", "/boxship/sockets/create"),
    ("GET", "/boxship/sockets/audit"), ("DELETE", "/boxship/sockets/ci"), ("GET", "/system/trash"),
    ("GET", "/boxship/networks/audit"), ("POST", "/boxship/system/check"),
    ("GET", "/containers/theirs/explain"), ("POST", "/containers/theirs/checkpoints"),
)  # fmt: skip


def test_some_things_are_in_no_scope(place: Place) -> None:
    scope = place.scope("all", "*", label="")
    for method, path in BEYOND:
        reply = scope.api.request(method, path, {} if method == "POST" else None)
        assert reply.status == 403, (method, path, reply)
        assert reply.message.endswith("no scope does"), reply


def test_a_connection_can_not_be_made_another_s(place: Place) -> None:
    """Neither by an upgrade, nor by a second request on it, nor by a token it doesn't need."""
    scope = place.scope("ci", "containers:read")
    upgrade = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    mine = b"GET /containers/json HTTP/1.1\r\nHost: d\r\n\r\n"
    for path in (b"/grpc", b"/session", b"/v1.45//grpc", b"/%67rpc"):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(10)
            sock.connect(str(scope.path))
            sock.sendall(
                mine + b"POST %s HTTP/1.1\r\nHost: d\r\n%s"
                b"Authorization: Bearer bst_x\r\nContent-Length: 0\r\n\r\n"
                % (path, upgrade)
                + b"GET /containers/theirs/json HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"
            )
            heard = b""
            while data := sock.recv(65536):
                heard += data
        first, second, third = re.findall(rb"HTTP/1.1 ([0-9]+)", heard)
        assert (first, third) == (b"200", b"404")
        assert second in (b"403", b"404"), heard


def test_what_is_made_within_a_scope_carries_its_label(place: Place) -> None:
    scope = place.scope("ci", "*")
    reply = scope.api.post("/containers/create", {"Image": "busybox", "Labels": {"team": "live"}})
    assert (reply.status, "team=ci alone, not with team=live" in reply.message) == (403, True)
    body = {"Image": "busybox", "Labels": {"a": "b"}, "HostConfig": {"NetworkMode": "none"}}
    made = scope.api.post("/containers/create", body).json()["Id"]
    assert place.engine.api.inspect(made)["Config"]["Labels"] == {"a": "b", "team": "ci"}
    taken = scope.api.post("/containers/create?name=theirs", body)
    assert (taken.status, taken.message) == (409, "the name theirs is taken")
    taken = scope.api.post(f"/containers/{made}/rename?name=theirs")
    assert (taken.status, taken.message) == (409, "the name theirs is taken")
    volume = scope.api.post("/volumes/create", {"Name": "mine"}).json()
    assert volume["Labels"] == {"team": "ci"}
    reply = scope.api.post("/volumes/create", {"Name": "theirs"})
    assert (reply.status, "Mountpoint" in reply.body.decode()) == (409, False)


def test_volumes_of_containers_are_the_scope_s(place: Place) -> None:
    scope = place.scope("ci", "*")
    command = ("run", "--rm", *QUIET, "-v", "fresh:/v", "busybox", "touch", "/v/x")
    scope.docker(*command)
    assert place.engine.api.get("/volumes/fresh").json()["Labels"] == {"team": "ci"}
    for words in (
        ("-v", "theirs:/v"),
        ("--mount", "type=volume,src=theirs,dst=/v"),
        ("--volumes-from", "theirs"),
        ("--net=container:theirs",),
        ("--pid=container:theirs",),
        ("--ipc=container:theirs",),
        ("-v", "/:/host"),
        ("-v", "/run:/run:ro"),
        ("--privileged",),
        ("--device=/dev/null",),
        ("--mount", "type=volume,dst=/x,volume-opt=o=bind,volume-opt=device=/"),
    ):
        done = scope.docker.run("create", *QUIET, *words, "busybox", "true")
        assert done.code != 0, words
        assert "the scope ci" in done.err, (words, done)
    host = {"NetworkMode": "elsewhere"}
    reply = scope.api.post("/containers/create", {"Image": "busybox", "HostConfig": host})
    assert (reply.status, "has no network elsewhere" in reply.message) == (403, True)
    options = {"Name": "b", "DriverOpts": {"type": "none", "o": "bind", "device": "/"}}
    assert scope.api.post("/volumes/create", options).status == 403
    assert scope.api.get("/containers/json", all=1).json() == []


def test_images_have_to_be_the_scope_s_unless_any_may_be_used(place: Place) -> None:
    scope = place.scope("ci", "containers:create,read")
    reply = scope.api.post("/containers/create", {"Image": "busybox"})
    assert reply.status == 403
    assert "the image lacks team=ci, and the scope lacks images:use" in reply.message
    reply = place.scope("two", "images:pull").api.request(
        "POST", "/images/create?fromSrc=-&repo=busybox", b""
    )
    assert reply.status == 403
    assert place.audit("two")[-1]["allowed"] is False


def test_a_label_of_an_image_is_none_of_its_containers(place: Place) -> None:
    """What somebody else makes of an image that was built here isn't ours, whatever it can do."""
    docker = place.engine.docker
    labelled = docker("create", "--label=team=ci", *QUIET, "busybox", "true")
    docker("commit", labelled, "built")
    docker("rm", labelled)
    try:
        theirs = docker("run", "-d", *QUIET, "--privileged", "built", "sleep", "1000")
        assert json.loads(docker("inspect", theirs))[0]["Config"]["Labels"] == {"team": "ci"}
        scope = place.scope("ci", "*")
        assert scope.api.get("/containers/json", all=1).json() == []
        assert scope.api.post(f"/containers/{theirs}/exec", {"Cmd": ["true"]}).status == 404
        assert scope.docker("events", "--since=1m", "--until=0s").count(theirs) == 0
        ours = scope.docker("create", *QUIET, "built")
        assert scope.docker("ps", "-aq", "--no-trunc") == ours
        assert [row["RepoTags"] for row in scope.api.get("/images/json").json()] == [
            ["built:latest"]
        ]
        docker("rm", "-f", theirs, ours)
    finally:
        docker("rmi", "built")


def test_rights_inside_do_not_grow(place: Place, tmp_path: Path) -> None:
    scope = place.scope("ci", "*")
    running = scope.docker("run", "-d", *QUIET, "busybox", "sleep", "1000")
    reply = scope.api.post(f"/containers/{running}/exec", {"Cmd": ["true"], "Privileged": True})
    assert reply.status == 403
    reply = scope.api.post(f"/containers/{running}/update", {"CgroupParent": "/x"})
    assert reply.status in (200, 403)
    assert place.engine.api.inspect(running)["HostConfig"]["CgroupParent"] != "/x"
    reply = scope.api.post(f"/containers/{running}/start?checkpoint=x&checkpoint-dir=/")
    assert reply.status in (400, 403)
    (tmp_path / "secret").write_text("of the host")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, f"/../../../..{tmp_path}"
        tar.addfile(link)
    path = f"/containers/{running}/archive?path=/"
    assert scope.api.request("PUT", path, archive.getvalue()).status == 200
    reply = scope.api.request("GET", f"/containers/{running}/archive?path=/out/secret")
    assert (reply.status, b"of the host" in reply.body) == (404, False)


def test_ports_of_the_host_need_a_permission(place: Place) -> None:
    scope = place.scope("ci", "containers:create", "images:use")
    body = {"Image": "busybox", "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}}
    reply = scope.api.post("/containers/create", body)
    assert (reply.status, "containers:publish" in reply.message) == (403, True)


def test_events_tell_of_the_scope_s_containers_alone(place: Place) -> None:
    scope = place.scope("ci", "events:read")
    label = ("--label=team=ci", "--label=name=theirs")
    since = place.engine.api.get("/info").json()["SystemTime"]
    place.engine.docker("run", "--rm", "--name=mine", *label, *QUIET, "busybox", "true")
    place.engine.docker("exec", "theirs", "true")
    now = place.engine.api.get("/info").json()["SystemTime"]
    told = scope.docker("events", f"--since={since}", f"--until={now}", "--format={{json .}}")
    events = [json.loads(line) for line in told.splitlines()]
    assert {event["Type"] for event in events} == {"container"}
    assert {event["Actor"]["Attributes"]["name"] for event in events} == {"mine"}
    assert "create" in {event["Action"] for event in events}


def test_info_counts_what_is_seen(place: Place) -> None:
    info = place.scope("ci", "system:read").api.get("/info").json()
    assert (info["Containers"], info["Images"]) == (0, 0)


def test_everything_is_written_down(place: Place) -> None:
    scope = place.scope("written", "containers:read")
    scope.docker("ps")
    scope.docker.run("rm", "theirs")
    scope.docker.run("inspect", "--type=container", "theirs")
    entries = place.audit("written")
    assert [(e["method"], e["path"].partition("/containers")[2]) for e in entries] == [
        ("GET", "/json"), ("DELETE", "/theirs"), ("GET", "/theirs/json"),
    ]  # fmt: skip
    assert [entry["allowed"] for entry in entries] == [True, False, False]
    assert [entry["status"] for entry in entries] == [200, 403, 404]
    assert {(entry["uid"], entry["door"]) for entry in entries} == {(0, "socket")}
    assert entries[1]["command"] == "docker rm"
    shown = place.engine.boxship("system", "socket", "audit", "--denied", "written").splitlines()
    assert len(shown) == 2
    assert "DENIED 403  DELETE" in shown[0]


def test_the_audit_can_be_followed(place: Place) -> None:
    scope = place.scope("followed", "containers:read")
    with place.engine.boxship.start("system", "socket", "audit", "-f", "followed") as following:
        assert following.stdout is not None
        try:
            # Its first line may be of before it followed or of after: both are lines of the log.
            scope.docker("ps")
            assert b"allowed 200  GET" in following.stdout.readline()
            scope.docker.run("rm", "theirs")
            assert b"DENIED 403  DELETE" in following.stdout.readline()
        finally:
            following.kill()


def test_sockets_are_there_again_after_a_restart() -> None:
    with Engine() as engine:
        create = ("system", "socket", "create", "--allow=containers:read")
        path = Path(engine.boxship(*create, "ci"))
        engine.boxship(*create, "gone")
        engine.boxship("system", "socket", "rm", "gone")
        engine.kill()
        engine.start()
        assert engine.boxship("system", "socket", "ls", "-q") == "ci"
        assert Api(path).get("/containers/json").status == 200
        assert Api(path).get("/info").status == 403
        assert not (engine.exec / "sockets/gone").exists()


def test_who_is_in_is_sent_away_when_a_socket_is_removed(place: Place) -> None:
    scope = place.scope("ci", "events:read")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(scope.path))
        sock.sendall(b"GET /events HTTP/1.1\r\nHost: d\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 200")
        place.engine.boxship("system", "socket", "rm", "ci")
        with suppress(ConnectionResetError):  # that is an end as well
            while sock.recv(65536):
                pass
    assert not scope.path.parent.exists()
    eventually(lambda: place.engine.api.get("/info").json()["NEventsListener"] == 0, "its end")


def test_sessions_in_containers_end_with_their_scope(place: Place) -> None:
    scope = place.scope("ci", "*")
    running = scope.docker("run", "-d", *QUIET, "busybox", "sleep", "1000")
    wish = {"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True, "Tty": True}
    session = scope.api.post(f"/containers/{running}/exec", wish).json()["Id"]
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(scope.path))
        sock.sendall(
            f"POST /exec/{session}/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\n"
            "Upgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
            '{"Tty":true}hello\n'.encode()
        )
        heard = b""
        while b"hello\r\nhello" not in heard:
            heard += sock.recv(65536)
        assert heard.startswith(b"HTTP/1.1 101")
        place.engine.boxship("system", "socket", "rm", "ci")
        with suppress(ConnectionResetError):
            assert sock.recv(65536) in (b"", b"\r\n")
    place.engine.api.remove(running)


def test_only_whom_it_is_for_can_connect(place: Place) -> None:
    scope = place.scope("ci", "containers:read")
    assert scope.path.stat().st_mode & 0o777 == 0o600
    create = ("system", "socket", "create", "--allow=containers:read")
    path = Path(place.engine.boxship(*create, "--group=1234", "shared"))
    place.made.append("shared")
    assert (path.stat().st_mode & 0o777, path.stat().st_gid) == (0o660, 1234)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ci", "--allow=builds:*"), "builds is none of containers, images"),
        (("ci", "--allow=containers"), "say what of containers is allowed"),
        (("../x", "--allow=*"), "invalid name '../x'"),
        (("ci",), "say what is allowed, as --allow containers:read,logs"),
        (("ci", "--allow=*", "--label=team"), "invalid label team: it must be name=value"),
        (("ci", "--allow=*", "--label=image=x"), "a scope can't be bound to the label image"),
        (("ci", "--allow=*", "--group=nobodys"), "group nobodys not found"),
        (("ci", "--allow=*", "--token", "--group=root"), "a group is for sockets"),
    ],
)
def test_mistakes_are_named_and_leave_nothing(
    place: Place, words: tuple[str, ...], told: str
) -> None:
    done = place.engine.boxship.run("system", "socket", "create", *words)
    assert done.code != 0
    assert told in done.err, done
    assert place.engine.boxship("system", "socket", "ls", "-q") == ""
    assert not (place.engine.exec / "sockets/ci").exists()


def test_names_are_taken_once(place: Place) -> None:
    place.scope("ci", "containers:read")
    done = place.engine.boxship.run("system", "socket", "create", "ci", "--allow=*")
    assert "there is a scope ci already" in done.err
    shown = json.loads(place.engine.boxship("system", "socket", "inspect", "ci"))
    assert shown[0]["Allow"] == ["containers:read"]
    done = place.engine.boxship.run("system", "socket", "rm", "nobodys")
    assert (done.code, "no such scope: nobodys" in done.err) == (1, True)
