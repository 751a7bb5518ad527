"""A whole set-up against a kernel that only takes notes: what is called, in which order."""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.kernel import mounts as k
from boxship.oci import runtime as oci
from boxship.runtime import steps
from boxship.runtime.apply import Setup, StepError, walk
from boxship.runtime.blueprint import Plan
from boxship.runtime.cgroups.layout import Hierarchy, Layout
from boxship.runtime.defaults import MOUNTS, default_spec
from boxship.runtime.explain import explain
from boxship.runtime.host import Host
from boxship.runtime.plan import plan

V1 = Host(
    Layout((Hierarchy("/c/cpu,cpuacct", ("cpu", "cpuacct")), Hierarchy("/c/devices", ("devices",))))
)
V2 = Host(Layout((), "/c", ("cpu", "memory")))
OVERLAY = steps.MountOverlay("/layers", ("l/a", "l/b"), "/u", "/w", "/mnt")


class Recorder:
    """A kernel in which every path exists and every call succeeds, unless told otherwise."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.open_fds: dict[int, str] = {}
        self.missing: set[str] = set()
        self.devices: dict[str, int] = {
            "/dev/null": os.makedev(1, 3),
            "/dev/pts/ptmx": os.makedev(5, 2),
        }
        self._next = 100

    def _note(self, name: str, *arguments: Any) -> None:
        self.calls.append(" ".join([name, *map(str, arguments)]))

    def _open(self, name: str) -> int:
        self._next += 1
        self.open_fds[self._next] = name
        return self._next

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> None:
            self._note(name, *(self.open_fds.get(a, a) for a in arguments if a != ""))

        return call

    def close(self, fd: int) -> None:
        del self.open_fds[fd]

    def openat2(self, root: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
        confined = resolve & 0x10 or (self.open_fds[root] == "/proc" and resolve & 0x08)
        assert confined, "a path of the container's must be resolved in its root"
        if path in self.missing:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return self._open(path)

    def open(self, path: str, _: int) -> int:
        return self._open(path)

    def open_at(self, directory: int, name: str, flags: int, mode: int = 0) -> int:
        assert flags & os.O_NOFOLLOW
        return self._open(f"{self.open_fds[directory]}/{name}")

    def open_tree(self, directory: int, path: str, _: int) -> int:
        return self._open(f"tree({path or self.open_fds[directory]})")

    def new_filesystem(
        self, fstype: str, source: str = "", options: tuple[str, ...] = (), attributes: int = 0
    ) -> int:
        self._note("new", fstype, ",".join(options))
        return self._open(f"new({fstype})")

    def filesystem_magic(self, fd: int) -> int:
        name = self.open_fds[fd]
        if "ptmx" in name:
            return k.DEVPTS_SUPER_MAGIC
        return k.PROC_SUPER_MAGIC if name.startswith("/proc") else 0

    def fstat(self, fd: int) -> os.stat_result:
        device = self.devices.get(self.open_fds[fd], 0)
        mode = (stat.S_IFCHR if device else stat.S_IFDIR) | 0o755
        return os.stat_result((mode, 1, 1, 1, 0, 0, 0, 0, 0, 0), {"st_rdev": device})

    def open_peer(self, _: int) -> int:
        return self._open("peer")


def planned(spec: oci.Spec, host: Host = V1) -> Plan:
    return plan(spec, "c1", host, OVERLAY)


def carried_out(spec: oci.Spec, host: Host = V1) -> tuple[list[str], Recorder]:
    kernel = Recorder()
    handed_out: list[int] = []
    setup = Setup(kernel, handed_out.append)
    walk(planned(spec, host).setup, setup)
    setup_fds = {setup.peer} if setup.peer >= 0 else set()
    assert set(kernel.open_fds) <= setup_fds, "a step has left a descriptor open"
    return kernel.calls, kernel


def position(calls: list[str], beginning: str) -> int:
    found = [n for n, call in enumerate(calls) if call.startswith(beginning)]
    assert found, f"{beginning!r} was not called"
    return found[0]


def test_the_order_of_a_start() -> None:
    calls, _ = carried_out(default_spec(("true",), terminal=True))
    order = [
        "unshare",
        "loopback_up",
        "mount / ",
        "chdir /layers",
        "mount overlay /mnt overlay 0 lowerdir=l/a:l/b,upperdir=/u,workdir=/w",
        "new proc",
        "move_mount new(proc) /proc",
        "new tmpfs mode=755,size=65536k",
        "move_mount tree(/c/cpu,cpuacct/boxship/c1)",
        "mknod_at /dev null",
        "move_mount tree(peer) /dev/console",
        "sethostname boxship",
        "move_mount tree(/proc/bus) /proc/bus",
        "move_mount new(tmpfs) /proc/asound",
        "pivot_root . .",
        f"umount2 . {k.MNT_DETACH}",
        "chdir /",
    ]
    places = [position(calls, entry) for entry in order[:-1]]
    assert places == sorted(places)
    assert calls[-1] == "chdir /"


def test_every_masked_directory_shows_one_tmpfs() -> None:
    calls, _ = carried_out(default_spec(("true",)))
    assert sum(call.startswith("new tmpfs nr_") for call in calls) == 1
    assert position(calls, "move_mount tree(new(tmpfs)) /proc/acpi")


def test_mounts_come_in_the_specs_order() -> None:
    spec = default_spec(("true",))
    above = oci.Mount("/sys/fs/cgroup/mine", "tmpfs", "x")
    after = oci.Mount("/data", "tmpfs", "y")
    setup = planned(replace(spec, mounts=(*MOUNTS, above, after))).setup
    kinds = [(type(s).__name__, getattr(s, "target", "")) for s in setup]
    wanted = [("MountCgroup1", "/sys/fs/cgroup"), ("Mount", above.destination)]
    wanted.append(("Mount", after.destination))
    assert [kind for kind in kinds if kind in wanted] == wanted


def test_v2_shows_ones_own_cgroup_by_one_bind() -> None:
    setup = planned(default_spec(("true",)), V2).setup
    (bind,) = (step for step in setup if isinstance(step, steps.BindMount))
    assert (bind.source, bind.target) == ("/c/boxship/c1", "/sys/fs/cgroup")


def test_joined_controllers_get_links() -> None:
    setup = planned(default_spec(("true",))).setup
    (mount,) = (step for step in setup if isinstance(step, steps.MountCgroup1))
    assert mount.links == (("cpu", "cpu,cpuacct"), ("cpuacct", "cpu,cpuacct"))


def test_missing_paths_are_created_one_by_one() -> None:
    spec = default_spec(("true",))
    kernel = Recorder()
    kernel.missing = {"/a/b/c", "a/b/c", "a/b"}
    setup = Setup(kernel, lambda _: None, root=99)
    walk((steps.Mount("tmpfs", "x", "/a/b/c"),), setup)
    assert [c for c in kernel.calls if c.startswith("mkdir_at")] == [
        "mkdir_at a b 493",
        "mkdir_at a/b c 493",
    ]
    assert spec.mounts


def test_a_failing_call_names_its_step() -> None:
    class Refusing(Recorder):
        def sethostname(self, name: str) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

    setup = Setup(Refusing(), lambda _: None)
    with pytest.raises(StepError) as caught:
        walk((steps.SetDomainname("d"), steps.SetHostname("h")), setup)
    assert (caught.value.step, caught.value.errno) == ("SetHostname", errno.EPERM)
    assert len(setup.ended) == 1


def every_step() -> Iterator[steps.Step]:
    spec = default_spec(("true",), terminal=True)
    kinds = [n for n in spec.linux.namespaces if n.type != "ipc"]
    linux = replace(
        spec.linux, sysctl={"net.x": "1"}, rootfs_propagation="shared",
        namespaces=(*kinds, oci.Namespace("ipc", "/proc/1/ns/ipc"), oci.Namespace("time")),
        net_devices={"eth9": oci.NetDevice("eth0")},
    )  # fmt: skip
    mounts = (*MOUNTS, oci.Mount("/m", "bind", "/host", ("rbind", "ro", "rshared", "rnosuid")))
    assert spec.process is not None
    rlimits = (oci.Rlimit("RLIMIT_CPU", 2**64 - 1, 1),)
    process = replace(spec.process, cwd="/work", rlimits=rlimits)
    root = oci.Root("/r", readonly=True)
    spec = replace(spec, linux=linux, mounts=mounts, domainname="d", root=root, process=process)
    yield from planned(spec).setup
    yield from plan(spec, "c2", V2).setup
    yield from plan(spec, "c3", V2, steps.MountDirectory("/tree", "/mnt", False)).setup
    linux = replace(
        linux, net_devices={}, namespaces=(*linux.namespaces, oci.Namespace("user")),
        uid_mappings=(oci.IdMapping(0, 1000, 10),), gid_mappings=(oci.IdMapping(0, 1000, 10),),
    )  # fmt: skip
    inside = planned(replace(spec, linux=linux))
    yield from (*inside.before, *inside.staged)


def test_a_directory_as_root_is_a_mount_of_its_own() -> None:
    kernel = Recorder()
    setup = Setup(kernel, lambda _: None)
    walk((steps.MountDirectory("/tree", "/mnt", devices=False),), setup)
    assert kernel.calls == [
        f"mount_setattr tree(/tree) {k.MOUNT_ATTR_NODEV}",
        "move_mount tree(/tree) /mnt",
    ]
    assert list(kernel.open_fds) == [setup.root]


@pytest.mark.parametrize(("height", "one_by_one"), [(200, False), (300, True)])
def test_a_high_stack_is_given_layer_by_layer(height: int, one_by_one: bool) -> None:
    kernel = Recorder()
    lower = tuple(f"l/{n:012}" for n in range(height))
    step = steps.MountOverlay("/data", lower, "u", "w", "/mnt", ("userxattr",), devices=False)
    walk((step,), Setup(kernel, lambda _: None))
    if one_by_one:
        layers = ",".join(f"lowerdir+={name}" for name in lower)
        new = f"new overlay {layers},upperdir=u,workdir=w,userxattr"
        assert kernel.calls == ["chdir /data", new, "move_mount new(overlay) /mnt"]
    else:
        options = f"lowerdir={':'.join(lower)},upperdir=u,workdir=w,userxattr"
        mount = f"mount overlay /mnt overlay {k.MS_NODEV} {options}"
        assert kernel.calls == ["chdir /data", mount]


def test_plans_survive_json() -> None:
    seen = {type(step) for step in every_step()}
    assert seen == set(steps.STEPS.values())
    original = planned(default_spec(("true",), terminal=True))
    assert Plan.from_json(original.to_json()) == original
    for step in every_step():
        assert steps.step_from_plain(steps.step_to_plain(step), "x") == step


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "plan: object expected"),
        ("{}", "plan.container_id: missing"),
    ],
)
def test_a_broken_plan_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Plan.from_json(text)


def test_every_step_can_be_explained() -> None:
    text = "\n".join(explain(planned(default_spec(("echo", "a b"), terminal=True))))
    for line in (
        "exec unshare --mount --uts --ipc --net --cgroup --pid --fork --propagation unchanged "
        "bash /dev/fd/3 3<<'INSIDE'",
        "mount -t proc -o nosuid,nodev,noexec proc ./proc",
        "mknod -m 666 ./dev/null c 1 3",
        "# pivot_root . . && umount -l . && cd /",
        "echo 'a *:* rwm' > /c/devices/boxship/c1/devices.deny",
    ):
        assert line in text.splitlines()
    assert text.endswith("echo 'a b'\nINSIDE")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"process": None}, "process: missing"),
        ({"mounts": (oci.Mount("/x"),)}, "type: missing"),
        ({"mounts": (oci.Mount("/x", "bind", "relative"),)}, "not an absolute path"),
    ],
)
def test_what_cannot_be_planned_is_refused_by_name(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        planned(replace(default_spec(("true",)), **change))
