"""Containers: their life, their lists, and what may be asked of one."""

from functools import partial

import docker
from docker import errors, types
from docker.models.containers import Container
from docker.utils import version_gte

from support.clients.telling import Scene, lines_of

IDLE = ["sleep", "1000"]


def containers(client: docker.DockerClient, scene: Scene) -> None:
    """A container's life, from `create` to `remove`."""
    said = client.containers.run("busybox", "echo hi", network_mode="none", remove=True)
    scene.same("containers.run('busybox', 'echo hi', remove=True)", said, b"hi\n")
    made = client.containers.create(
        "busybox", IDLE, name="life", labels={"who": "docker-py"}, network_mode="none"
    )
    scene.same("containers.create(name='life').status", made.status, "created")
    made.start()
    made.reload()
    scene.same("start, reload: status, image", (made.status, made.image.tags), _RUNNING)
    _changes(client, scene, made)
    _lists(client, scene, made)
    _ends(client, scene, made)


_RUNNING = ("running", ["busybox:latest"])


def _changes(client: docker.DockerClient, scene: Scene, made: Container) -> None:
    made.pause()
    made.reload()
    scene.same("pause: status", made.status, "paused")
    made.unpause()
    made.rename("lives")
    made.reload()
    scene.same("unpause, rename: name, status", (made.name, made.status), ("lives", "running"))
    made.update(mem_limit="64m", memswap_limit="64m", cpu_shares=512)
    made.reload()
    limits = {key: made.attrs["HostConfig"][key] for key in ("Memory", "CpuShares")}
    scene.same("update(mem_limit='64m')", limits, {"Memory": 64 << 20, "CpuShares": 512})
    before = made.attrs["State"]["Pid"]
    made.restart(timeout=0)
    made.reload()
    scene.holds("restart(timeout=0): pid", made.attrs["State"]["Pid"], before)
    top = made.top(ps_args="-eo pid,args")
    scene.same("top(): command", [row[-1] for row in top["Processes"]], ["sleep 1000"])
    made.exec_run("touch /new")
    scene.same("diff()", made.diff(), [{"Path": "/new", "Kind": 1}])
    image = made.commit("lives", tag="saved", message="said", changes="ENV A=b")
    scene.same("commit('lives'): tags", image.tags, ["lives:saved"])
    client.images.remove("lives:saved")
    exported = sum(len(chunk) for chunk in made.export())
    scene.holds("export(): bytes", exported, exported > 100_000)


def _lists(client: docker.DockerClient, scene: Scene, made: Container) -> None:
    def listed(**wanted: object) -> list[str]:
        return [one.name for one in client.containers.list(**wanted)]

    for filters in (
        {"name": "lives"},
        {"label": "who=docker-py"},
        {"status": "running"},
        {"ancestor": "busybox"},
        {"network": "none"},
        {"id": made.short_id},
    ):
        scene.same(f"containers.list(filters={filters})", listed(filters=filters), ["lives"])
    scene.same("containers.list(filters={'exited': 3})", listed(filters={"exited": 3}), [])
    scene.same("containers.list(limit=1)", listed(limit=1), ["lives"])
    rows = client.api.containers(size=True)
    scene.holds("api.containers(size=True)", rows[0], rows[0]["SizeRootFs"] > 100_000)
    bad = {"colour": "red"}
    scene.refused(
        "containers.list(filters={'colour': …})", errors.APIError, lambda: listed(filters=bad)
    )


def _ends(client: docker.DockerClient, scene: Scene, made: Container) -> None:
    scene.refused("remove(): it runs", errors.APIError, made.remove, "409")
    made.kill("SIGTERM")
    made.kill()
    scene.same("kill(); wait()", made.wait()["StatusCode"], 137)
    scene.refused("kill() again", errors.APIError, made.kill, "409", "is not running")
    made.start()
    made.stop(timeout=0)
    made.reload()
    scene.same("start(), stop(timeout=0): status", made.status, "exited")
    made.remove(v=True)
    scene.refused("get() once it is removed", errors.NotFound, made.reload, "No such container")
    done = client.containers.run("busybox", "true", detach=True, network_mode="none")
    condition = {"condition": "not-running"} if version_gte(client.api._version, "1.30") else {}
    scene.same(f"wait({condition})", done.wait(**condition)["StatusCode"], 0)
    if version_gte(client.api._version, "1.25"):
        pruned = client.containers.prune()["ContainersDeleted"]
        scene.same("containers.prune()", pruned, [done.id])
    else:
        done.remove()
    for command, image, kind in _FAILING:
        asked = {"remove": True, "network_mode": "none"}
        run = partial(client.containers.run, image, command, **asked)
        scene.refused(f"containers.run({image!r}, {command!r})", kind, run)
    # Who could not be started is not removed by docker-py.
    (left,) = client.containers.list(all=True)
    scene.same(
        "containers.list(all=True)",
        (left.status, left.attrs["State"]["ExitCode"]),
        ("created", 127),
    )
    left.remove()


_FAILING = (
    ("false", "busybox", errors.ContainerError),
    ("nothing-of-that-name", "busybox", errors.APIError),
    ("true", "no such image", errors.APIError),
)

_INSIDE = (
    "id; hostname; pwd; echo $WORD; ulimit -n; cat /tmp/bound; df -m /dev/shm | tail -1; sleep 1000"
)


def options(client: docker.DockerClient, scene: Scene) -> None:
    """A container of which much is asked."""
    volume = client.volumes.create("kept")
    made = client.containers.run("busybox", ["sh", "-c", _INSIDE], detach=True, **_ASKED)
    try:
        made.reload()
        host = made.attrs["HostConfig"]
        scene.same("ports", sorted(made.ports), ["53/udp", "80/tcp"])
        scene.same("labels", made.labels, {"a": "1", "b": ""})
        scene.same("Ulimits", host["Ulimits"], [{"Name": "nofile", "Soft": 99, "Hard": 100}])
        policy = {"Name": "on-failure", "MaximumRetryCount": 3}
        scene.same("RestartPolicy", host["RestartPolicy"], policy)
        found = [(one["Destination"], one["RW"]) for one in made.attrs["Mounts"]]
        scene.same("Mounts", sorted(found), [("/kept", True), ("/tmp/bound", False)])
        following = made.logs(stream=True, follow=True)
        said = b""
        while said.count(b"\n") < 7:
            said += next(following)
        following.close()
        wanted = ("uid=65534", "shop", "/tmp", "yes", "99", "8 ")
        scene.has("logs: who, where, with what", said.decode(), *wanted)
        _health(client, scene, made)
    finally:
        made.remove(force=True)
    if version_gte(client.api._version, "1.30"):
        scene.refused("a bind of nothing", errors.APIError, lambda: _with_nothing(client), "400")
    volume.remove()


_ASKED = {
    "name": "asked",
    "hostname": "shop",
    "user": "nobody",
    "working_dir": "/tmp",
    "environment": {"WORD": "yes"},
    "labels": {"a": "1", "b": ""},
    "ports": {"80/tcp": None, "53/udp": ("127.0.0.1", 6053)},
    "ulimits": [types.Ulimit(name="nofile", soft=99, hard=100)],
    "restart_policy": {"Name": "on-failure", "MaximumRetryCount": 3},
    "volumes": ["/etc/hostname:/tmp/bound:ro", "kept:/kept"],
    "tmpfs": {"/scratch": "size=1m"},
    "extra_hosts": {"elsewhere": "192.0.2.1"},
    "shm_size": "8m",
    "cap_drop": ["NET_RAW"],
    "security_opt": ["no-new-privileges"],
    "sysctls": {"net.ipv4.ip_local_port_range": "2000 3000"},
    "dns": ["192.0.2.53"],
    "mem_limit": "64m",
    "pids_limit": 50,
    "log_config": types.LogConfig(type="json-file", config={"max-size": "1m"}),
    "healthcheck": {"test": "test -e /scratch", "interval": 1_000_000_000, "timeout": 10**9},
}


def _health(client: docker.DockerClient, scene: Scene, made: Container) -> None:
    for event in client.events(decode=True, since=0, filters={"container": made.id}):
        status = event["Action"]
        if status.startswith("health_status"):
            break
    made.reload()
    scene.same("health", (status, made.health), ("health_status: healthy", "healthy"))
    scene.has(
        "/etc/hosts", lines_of([made.exec_run("cat /etc/hosts").output]), "192.0.2.1\telsewhere"
    )


def _with_nothing(client: docker.DockerClient) -> object:
    nowhere = types.Mount("/x", "/nowhere/at/all", type="bind")
    return client.containers.create("busybox", mounts=[nowhere])
