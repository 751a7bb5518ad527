"""What a container says, is told, uses and keeps: exec, attach, logs, stats, archives."""

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager

import docker
from docker import errors
from docker.models.containers import Container
from docker.utils import version_gte
from docker.utils.socket import frames_iter, read_exactly

from support.clients.telling import Scene, lines_of

BOTH = ["sh", "-c", "echo out; echo err >&2; exit 3"]


@contextmanager
def running(client: docker.DockerClient, *command: str, **asked: object) -> Iterator[Container]:
    """A container of busybox, removed at the end."""
    made = client.containers.run(
        "busybox", list(command) or ["sleep", "1000"], detach=True, network_mode="none", **asked
    )
    try:
        yield made
    finally:
        made.remove(force=True)


def execs(client: docker.DockerClient, scene: Scene) -> None:
    with running(client) as made:
        scene.same("exec_run(…)", tuple(made.exec_run(BOTH, stderr=False)), (3, b"out\n"))
        demuxed = made.exec_run(BOTH, demux=True).output
        scene.same("exec_run(…, demux=True)", demuxed, (b"out\n", b"err\n"))
        said = made.exec_run("id -u", user="nobody").output
        scene.same("exec_run(user='nobody')", said, b"65534\n")
        said = made.exec_run("tty", tty=True).output
        scene.same("exec_run(tty=True)", said, b"/dev/pts/0\r\n")
        streamed = made.exec_run("seq 3", stream=True).output
        scene.same("exec_run(stream=True)", lines_of(streamed), ["1", "2", "3"])
        if version_gte(client.api._version, "1.35"):
            asked = {"environment": {"A": "b"}, "workdir": "/tmp"}
            said = made.exec_run(["sh", "-c", "echo $A $PWD"], **asked).output
            scene.same("exec_run(environment, workdir)", said, b"b /tmp\n")
        _talk(scene, made)
        _inspected(client, scene, made)
        scene.same(
            "exec_run('no-program')", made.exec_run("no-program").exit_code in (126, 127), True
        )
        nobody = lambda: client.api.exec_create("nothing", "true")  # noqa: E731
        scene.refused("api.exec_create('nothing')", errors.NotFound, nobody)
    scene.refused(
        "api.exec_inspect(of none)", errors.NotFound, lambda: client.api.exec_inspect("0")
    )


def _talk(scene: Scene, made: Container) -> None:
    stream = made.exec_run("cat", stdin=True, socket=True).output
    stream._sock.sendall(b"said\n")
    frame = read_exactly(stream, 8 + 5)
    scene.same("exec_run('cat', socket=True)", frame, b"\1\0\0\0\0\0\0\5said\n")
    stream.close()


def _inspected(client: docker.DockerClient, scene: Scene, made: Container) -> None:
    identity = client.api.exec_create(made.id, ["sh", "-c", "read x; exit 5"], tty=True, stdin=True)
    stream = client.api.exec_start(identity, tty=True, socket=True)
    client.api.exec_resize(identity, height=20, width=90)
    seen = client.api.exec_inspect(identity)
    scene.same(
        "api.exec_inspect(): runs, exit code", (seen["Running"], seen["ExitCode"]), (True, None)
    )
    stream._sock.sendall(b"go\n")
    while stream._sock.recv(100):
        pass
    stream.close()
    seen = client.api.exec_inspect(identity)
    scene.same("api.exec_inspect() once it ended", (seen["Running"], seen["ExitCode"]), (False, 5))
    detached = client.api.exec_create(made.id, "true")
    scene.same("api.exec_start(detach=True)", client.api.exec_start(detached, detach=True), "")


def attaching(client: docker.DockerClient, scene: Scene) -> None:
    made = client.containers.create(
        "busybox", ["sh", "-c", "read x; echo got $x; exit 4"], stdin_open=True, network_mode="none"
    )
    stream = made.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    made.start()
    stream._sock.sendall(b"this\n")
    came = list(frames_iter(stream, tty=False))
    scene.same("attach_socket(): frames", came, [(1, b"got this\n")])
    stream.close()
    scene.same("wait()", made.wait()["StatusCode"], 4)
    made.remove()
    with running(client, "sh", "-c", "read x; echo out; echo err >&2", stdin_open=True) as made:
        both = made.attach(stream=True, demux=True)
        talking = made.attach_socket(params={"stdin": 1, "stream": 1})
        talking._sock.sendall(b"\n")
        talking.close()
        parts = list(both)
        out, err = (b"".join(part[side] or b"" for part in parts) for side in (0, 1))
        scene.same("attach(stream=True, demux=True)", (out, err), (b"out\n", b"err\n"))
    _terminal(client, scene)


def _terminal(client: docker.DockerClient, scene: Scene) -> None:
    with running(client, "sh", "-c", "read x; stty size", tty=True, stdin_open=True) as made:
        made.resize(height=33, width=99)
        stream = made.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
        stream._sock.sendall(b"\n")
        came = b"".join(iter(lambda: stream._sock.recv(1000), b""))
        stream.close()
        scene.same("resize(33, 99): stty size", came.split(), [b"33", b"99"])


def logs(client: docker.DockerClient, scene: Scene) -> None:
    with running(client, *BOTH) as made:
        made.wait()
        scene.same("logs(stderr=False)", made.logs(stderr=False), b"out\n")
        scene.same("logs(stdout=False)", made.logs(stdout=False), b"err\n")
        scene.same("logs(stdout=False, stderr=False)", _nothing_of(made), "refused")
        stamped = made.logs(stderr=False, timestamps=True).decode().split()
        scene.holds("logs(timestamps=True)", stamped, stamped[0].endswith("Z"))
        if version_gte(client.api._version, "1.35"):
            scene.same("logs(until=1)", made.logs(until=1), b"")
        scene.same("logs(since=2**31)", made.logs(since=2**31), b"")
    with running(client, "sh", "-c", "seq 5; exec sleep 1000") as made:
        lines = made.logs(stream=True, follow=True)
        text = b""
        while len(text) < 10:
            text += next(lines)
        scene.same("logs(follow=True)", text, b"1\n2\n3\n4\n5\n")
        made.kill()
        scene.same("the rest, once it was killed", list(lines), [])
        scene.same("logs(tail=2)", made.logs(tail=2), b"4\n5\n")


def _nothing_of(made: Container) -> str:
    try:
        return str(made.logs(stdout=False, stderr=False))
    except errors.APIError:
        return "refused"


def stats(client: docker.DockerClient, scene: Scene) -> None:
    with running(client) as made:
        once = made.stats(stream=False)
        scene.has("stats(stream=False)", once, "cpu_stats", "memory_stats", "pids_stats", "read")
        scene.holds("  memory", once["memory_stats"]["usage"], once["memory_stats"]["limit"] > 0)
        scene.same("  pids", once["pids_stats"]["current"], 1)
        stream = made.stats(decode=True)
        scene.same("stats(decode=True): id", next(stream)["id"], made.id)
        stream.close()
        if version_gte(client.api._version, "1.41"):
            seen = client.api.stats(made.id, stream=False, one_shot=True)
            scene.has("api.stats(one_shot=True)", seen, "precpu_stats")
    scene.refused(
        "api.stats('nothing')", errors.NotFound, lambda: client.api.stats("nothing", stream=False)
    )


def archives(client: docker.DockerClient, scene: Scene) -> None:
    with running(client) as made:
        scene.same(
            "put_archive('/tmp')", made.put_archive("/tmp", _tar({"a": b"1", "b": b"22"})), True
        )
        said = made.exec_run("cat /tmp/a /tmp/b").output
        scene.same("exec: cat /tmp/a /tmp/b", said, b"122")
        chunks, stat = made.get_archive("/tmp/b")
        scene.same("get_archive('/tmp/b'): stat", (stat["name"], stat["size"]), ("b", 2))
        scene.same("  the file", _untar(b"".join(chunks)), {"b": b"22"})
        chunks, stat = made.get_archive("/tmp")
        scene.has("get_archive('/tmp')", sorted(_untar(b"".join(chunks))), "tmp/a", "tmp/b")
        scene.refused(
            "get_archive('/nowhere')", errors.NotFound, lambda: made.get_archive("/nowhere")
        )
        nowhere = lambda: made.put_archive("/nowhere", _tar({}))  # noqa: E731
        scene.refused("put_archive('/nowhere')", errors.NotFound, nowhere)
        broken = lambda: made.put_archive("/tmp", b"no archive " * 100)  # noqa: E731
        scene.refused("put_archive(no archive)", errors.APIError, broken)


def _tar(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            row = tarfile.TarInfo(name)
            row.size = len(content)
            archive.addfile(row, io.BytesIO(content))
    return made.getvalue()


def _untar(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = [row for row in archive if row.isfile()]
        return {row.name: archive.extractfile(row).read() for row in files}  # type: ignore[union-attr]
