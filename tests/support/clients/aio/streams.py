"""What a container says, is told, uses and keeps."""

import io
import tarfile
from typing import Any

from aiodocker import Docker
from aiodocker.stream import Stream

from support.clients.aio.containers import asked, refused, running
from support.clients.telling import Scene

BOTH = ["sh", "-c", "echo out; echo err >&2; exit 3"]


async def _all(stream: Stream) -> dict[int, bytes]:
    """By number of the stream: 1 output, 2 error."""
    came: dict[int, bytes] = {}
    while message := await stream.read_out():
        came[message.stream] = came.get(message.stream, b"") + message.data
    return came


async def execs(docker: Docker, scene: Scene) -> None:
    async with running(docker) as made:
        prepared = await made.exec(BOTH)
        async with prepared.start(detach=False) as stream:
            scene.same("exec(), start()", await _all(stream), {1: b"out\n", 2: b"err\n"})
        seen = await prepared.inspect()
        scene.same("inspect()", (seen["Running"], seen["ExitCode"]), (False, 3))
        asking = ["sh", "-c", "read x; echo $x $A $PWD; id -u; stty size"]
        more: dict[str, Any] = {"environment": {"A": "b"}, "workdir": "/tmp", "user": "nobody"}
        prepared = await made.exec(asking, stdin=True, tty=True, **more)
        async with prepared.start(detach=False) as stream:
            await stream._init()
            await prepared.resize(h=33, w=99)
            await stream.write_in(b"said\n")
            came = await _all(stream)
            wanted = b"said\r\nsaid b /tmp\r\n65534\r\n33 99\r\n"
            scene.same("exec(tty, stdin, environment, workdir, user)", came, {1: wanted})
        prepared = await made.exec(["true"])
        await prepared.start(detach=True)
    await refused(scene, "exec(of none).inspect()", 404, docker.containers.exec("0").inspect())


async def attaching(docker: Docker, scene: Scene) -> None:
    command = ("sh", "-c", "read x; echo got $x; echo err >&2")
    made = await docker.containers.create(asked(*command, OpenStdin=True))
    async with made.attach(stdin=True, stdout=True, stderr=True) as stream:
        await stream._init()
        await made.start()
        await stream.write_in(b"this\n")
        scene.same("attach()", await _all(stream), {1: b"got this\n", 2: b"err\n"})
    scene.same("wait()", (await made.wait())["StatusCode"], 0)
    await made.delete()


async def websocket(docker: Docker, scene: Scene) -> None:
    command = ("sh", "-c", "read x; echo got $x")
    async with running(docker, *command, Tty=True, OpenStdin=True) as made:
        socket = await made.websocket(stdin=True, stdout=True, stream=True)
        await socket.send_bytes(b"that\n")
        came = b"".join([message.data async for message in socket])
        scene.same("websocket()", came, b"that\r\ngot that\r\n")
        await socket.close()


async def logs(docker: Docker, scene: Scene) -> None:
    async with running(docker, *BOTH) as made:
        await made.wait()
        scene.same("log(stdout=True)", await made.log(stdout=True), ["out\n"])
        scene.same("log(stderr=True)", await made.log(stderr=True), ["err\n"])
    async with running(docker, "sh", "-c", "seq 3; exec sleep 1000") as made:
        came = []
        async for line in made.log(stdout=True, follow=True):
            came.append(line)
            if len(came) == 3:
                await made.kill()
        scene.same("log(follow=True), to its end", came, ["1\n", "2\n", "3\n"])
        scene.same("log(tail=1)", await made.log(stdout=True, tail=1), ["3\n"])


async def stats(docker: Docker, scene: Scene) -> None:
    async with running(docker) as made:
        (once,) = await made.stats(stream=False)
        scene.has("stats(stream=False)", once, "cpu_stats", "memory_stats", "pids_stats")
        async for row in made.stats():
            scene.same("stats(): id", row["id"], made.id)
            break


async def archives(docker: Docker, scene: Scene) -> None:
    async with running(docker) as made:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            row = tarfile.TarInfo("a")
            row.size = 3
            archive.addfile(row, io.BytesIO(b"abc"))
        await made.put_archive("/tmp", packed.getvalue())
        found = (await made.get_archive("/tmp/a")).extractfile("a")
        assert found is not None
        scene.same("put_archive(), get_archive()", found.read(), b"abc")
        await refused(scene, "get_archive(nothing)", 404, made.get_archive("/nowhere"))
        await refused(scene, "put_archive(nowhere)", 404, made.put_archive("/nowhere", b""))
