"""What a spec's fields demand of each other and of the machine, each refusal by its name."""

from dataclasses import replace
from typing import Any

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.kernel.mounts import MOUNT_ATTR_RDONLY
from boxship.oci import runtime as oci
from boxship.runtime import steps
from boxship.runtime.blueprint import Plan
from boxship.runtime.cgroups.layout import Layout
from boxship.runtime.defaults import default_spec
from boxship.runtime.host import Host
from boxship.runtime.plan import plan

HOST = Host(Layout((), "/c", ("cpu", "memory")))
SPEC = default_spec(("true",))
KINDS = SPEC.linux.namespaces
MAPS = (oci.IdMapping(0, 1000, 1),)


def planned(host: Host = HOST, **linux: Any) -> Plan:
    return plan(replace(SPEC, linux=replace(SPEC.linux, **linux)), "c1", host, steps.BindRoot("/r"))


def without(*kinds: str) -> tuple[oci.Namespace, ...]:
    return tuple(n for n in KINDS if n.type not in kinds)


@pytest.mark.parametrize(
    ("linux", "words"),
    [
        ({"namespaces": ()}, "linux.namespaces: a new mount namespace"),
        ({"namespaces": (*KINDS, oci.Namespace("pid"))}, r"linux.namespaces\[6\].type: pid"),
        ({"namespaces": (oci.Namespace("mount"), oci.Namespace("pid", "x"))}, "path: is not an"),
        ({"uid_mappings": MAPS}, "linux.uidMappings: a user namespace"),
        ({"namespaces": (*KINDS, oci.Namespace("user"))}, "linux.uidMappings: missing"),
        (
            {"namespaces": (*KINDS, oci.Namespace("user")), "uid_mappings": MAPS},
            "linux.gidMappings: missing",
        ),
        ({"time_offsets": oci.TimeOffsets()}, "linux.timeOffsets: a new time namespace"),
        ({"sysctl": {"kernel.panic": "1"}}, "linux.sysctl.kernel.panic: is not in a separate"),
        ({"sysctl": {"net.x": "1"}, "namespaces": without("network")}, "linux.sysctl.net.x"),
        ({"sysctl": {"kernel.sem": "1"}, "namespaces": without("ipc")}, "linux.sysctl.kernel.sem"),
        ({"namespaces": without("uts")}, "hostname: a UTS namespace"),
        ({"mount_label": "l"}, "linux.mountLabel: this machine has no SELinux"),
        ({"intel_rdt": oci.IntelRdt()}, "linux.intelRdt: this machine has no resctrl"),
        ({"net_devices": {"eth0": oci.NetDevice("a b")}}, "linux.netDevices.eth0"),
        (
            {"net_devices": {"eth0": oci.NetDevice()}, "namespaces": without("network")},
            "linux.netDevices.eth0: a network namespace",
        ),
        ({"cgroups_path": "/../x"}, "linux.cgroupsPath"),
    ],
)
def test_the_containers_fields(linux: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        planned(**linux)


@pytest.mark.parametrize(
    ("process", "words"),
    [
        ({"command_line": "x"}, "process.commandLine"),
        ({"args": ()}, "process.args"),
        ({"cwd": "x"}, "process.cwd"),
        ({"apparmor_profile": "p"}, "process.apparmorProfile: this machine has no AppArmor"),
        ({"selinux_label": "p"}, "process.selinuxLabel: this machine has no SELinux"),
        ({"rlimits": (oci.Rlimit("RLIMIT_CPU"),) * 2}, r"process.rlimits\[1\].type"),
        ({"rlimits": (oci.Rlimit("RLIMIT_CPU", 1, 2),)}, r"process.rlimits\[0\].soft"),
    ],
)
def test_a_processs_fields(process: dict[str, Any], words: str) -> None:
    assert SPEC.process is not None
    spec = replace(SPEC, process=replace(SPEC.process, **process))
    with pytest.raises(InvalidArgumentError, match=words):
        plan(spec, "c1", HOST, steps.BindRoot("/r"))


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        (oci.Mount("/x", "tmpfs", "x", (), MAPS, MAPS), r"mounts\[7\].uidMappings"),
        (oci.Mount("/x", "bind", "/x", (), MAPS), r"mounts\[7\].gidMappings"),
        (oci.Mount("/x", "tmpfs", "x", ("idmap",)), "idmap is for bind mounts"),
        (oci.Mount("/x", "tmpfs", "x", ("remount",)), "remount"),
        (oci.Mount("/x", "bind", "/x", ("ridmap",)), "ridmap without mappings"),
    ],
)
def test_a_mounts_fields(mount: oci.Mount, words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        plan(replace(SPEC, mounts=(*SPEC.mounts, mount)), "c1", HOST, steps.BindRoot("/r"))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"ociVersion": "1.2.0", "windows": {}}, "windows: this runtime is for Linux alone"),
        ({"ociVersion": "1.2.0", "root": {"path": 5}}, "root.path: text expected"),
        (
            {"ociVersion": "1.2.0", "process": {"cwd": "/", "user": {"uid": -1}}},
            "process.user.uid: -1 is not between",
        ),
        (
            {"ociVersion": "1.2.0", "linux": {"rootfsPropagation": "odd"}},
            "linux.rootfsPropagation: 'odd' is none of",
        ),
    ],
)
def test_wrong_documents(document: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        oci.Spec.from_json(document)


@pytest.mark.spec("ociVersion")
def test_a_version_that_is_not_ours() -> None:
    with pytest.raises(InvalidArgumentError, match="ociVersion"):
        plan(replace(SPEC, oci_version="2.0.0"), "c1", HOST, steps.BindRoot("/r"))


@pytest.mark.spec("process.apparmorProfile", "linux.mountLabel")
def test_labels_where_the_machine_has_them() -> None:
    assert SPEC.process is not None
    host = replace(HOST, security_modules=("apparmor", "selinux"))
    confined = replace(SPEC.process, apparmor_profile="docker-default")
    made = plan(replace(SPEC, process=confined), "c1", host, steps.BindRoot("/r")).process
    assert (made.label_file, made.label) == ("/proc/self/attr/apparmor/exec", "exec docker-default")
    labelled = planned(host, mount_label="system_u:object_r:x:s0")
    shm = next(s for s in labelled.setup if isinstance(s, steps.Mount) and s.target == "/dev/shm")
    assert shm.options[-1] == "context=system_u:object_r:x:s0"


def test_unknown_capabilities_are_warned_about() -> None:
    assert SPEC.process is not None
    odd = oci.Capabilities(bounding=("CAP_CHOWN", "CAP_NONSENSE"), ambient=("CAP_NONSENSE",))
    made = plan(
        replace(SPEC, process=replace(SPEC.process, capabilities=odd)),
        "c1",
        HOST,
        steps.BindRoot("/r"),
    )
    assert made.warnings == ("process.capabilities: CAP_NONSENSE is unknown and left out",)


def refusal(*fields: str, value: object = "x") -> str:
    """Set a field of an ordinary document; return in which words it is refused."""
    document: dict[str, Any] = SPEC.to_json()
    *parents, last = fields
    here = document
    for name in parents:
        here = here.setdefault(name, {})
    here[last] = value
    with pytest.raises((ValueError, InvalidArgumentError)) as caught:
        plan(oci.Spec.from_json(document), "c1", HOST, steps.BindRoot("/r"))
    return str(caught.value)


@pytest.mark.spec(
    "process.commandLine", refused="process.commandLine: is for Windows; use process.args"
)
def test_a_command_line_of_windows() -> None:
    words = "process.commandLine: is for Windows; use process.args"
    assert refusal("process", "commandLine") == words


@pytest.mark.spec(
    "linux.personality.flags",
    refused="linux.personality.flags: the specification defines none, so none is supported",
)
def test_flags_of_a_personality() -> None:
    words = "linux.personality.flags: the specification defines none, so none is supported"
    assert refusal("linux", "personality", value={"domain": "LINUX", "flags": ["X"]}) == words


@pytest.mark.spec("process.selinuxLabel")
def test_a_label_of_selinux() -> None:
    assert SPEC.process is not None
    assert refusal("process", "selinuxLabel") == "process.selinuxLabel: this machine has no SELinux"
    labelled = replace(SPEC, process=replace(SPEC.process, selinux_label="a:b:c:s0"))
    host = replace(HOST, security_modules=("selinux",))
    made = plan(labelled, "c1", host, steps.BindRoot("/r")).process
    assert (made.label_file, made.label) == ("/proc/self/attr/exec", "a:b:c:s0")


FOREIGN = "this runtime is for Linux alone"


@pytest.mark.spec("windows", refused="windows: this runtime is for Linux alone")
@pytest.mark.spec("solaris", refused="solaris: this runtime is for Linux alone")
@pytest.mark.spec("freebsd", refused="freebsd: this runtime is for Linux alone")
@pytest.mark.spec("vm", refused="vm: this runtime is for Linux alone")
@pytest.mark.spec("zos", refused="zos: this runtime is for Linux alone")
@pytest.mark.parametrize("section", oci.FOREIGN_SECTIONS)
def test_sections_for_others(section: str) -> None:
    assert refusal(section, value={}) == f"{section}: {FOREIGN}"


def test_an_agents_state_is_in_the_plan() -> None:
    notify = oci.Seccomp(
        "SCMP_ACT_ALLOW",
        listener_path="/agent",
        syscalls=(oci.SeccompRule(("mkdir",), "SCMP_ACT_NOTIFY"),),
    )
    filtered = planned(seccomp=notify).process.seccomp
    assert filtered is not None
    assert filtered.listener is not None
    assert (filtered.flags & 8, filtered.listener.path) == (8, "/agent")
    assert '"id": "c1"' in filtered.listener.state


def in_a_user_namespace(host: Host, *mounts: oci.Mount) -> Plan:
    """Plan one whose network is joined."""
    kept = tuple(mount for mount in SPEC.mounts if host.root or mount.type != "cgroup")
    spec = replace(SPEC, mounts=(*kept, *mounts))
    namespaces = (
        *without("network"),
        oci.Namespace("network", "/ns/n"),
        oci.Namespace("user"),
    )
    linux = replace(spec.linux, namespaces=namespaces, uid_mappings=MAPS, gid_mappings=MAPS)
    return plan(replace(spec, linux=linux), "c1", host, steps.BindRoot("/r"))


def test_what_takes_the_hosts_rights_is_done_before_the_user_namespace() -> None:
    shared = oci.Mount("/data", "bind", "/srv", ("rbind", "ro", "idmap", "rslave"))
    made = in_a_user_namespace(HOST, shared)
    assert made.before == (steps.JoinNamespace("net", "/ns/n"), steps.MakeStaging())
    trees = {s.source: s for s in made.staged if isinstance(s, steps.StageTree)}
    maps = ((0, 1000, 1),)
    assert trees["/srv"] == steps.StageTree(
        trees["/srv"].name, "/srv", True, MOUNT_ATTR_RDONLY, uid_map=maps, gid_map=maps
    )
    (bind,) = (s for s in made.setup if isinstance(s, steps.BindMount) and s.target == "/data")
    assert (bind.staged, bind.set_attributes, bind.propagation) == (
        trees["/srv"].name, 0, "rslave",
    )  # fmt: skip
    nodes = {s.source: s for s in made.staged if isinstance(s, steps.StageNode)}
    assert (nodes["/dev/null"].uid, nodes["/dev/null"].gid) == (1000, 1000)
    assert made.user is not None
    assert made.user.uid_map == maps
    assert Plan.from_json(made.to_json()) == made


def test_what_covers_the_root_comes_after_all_that_is_looked_up() -> None:
    made = in_a_user_namespace(HOST)
    kinds = [type(step) for step in made.staged]
    entered = kinds.index(steps.EnterStaging)
    assert made.staged[entered] == steps.EnterStaging("/r")
    assert steps.StageTree not in kinds[entered:]
    assert steps.StageNode not in kinds[:entered]


def test_without_root_nothing_is_staged_and_nodes_are_the_hosts() -> None:
    made = in_a_user_namespace(replace(HOST, root=False))
    assert made.staged == ()
    assert made.before == (steps.JoinNamespace("net", "/ns/n"),)
    assert not any(isinstance(step, steps.MakeNode | steps.JoinNamespace) for step in made.setup)
    assert steps.BindMount("/dev/null", "/dev/null") in made.setup


def test_sysctls_of_ones_own_namespaces() -> None:
    wanted = {"net.ipv4.ip_forward": "1", "kernel.sem": "1 2 3 4", "fs.mqueue.msg_max": "5"}
    made = planned(sysctl=wanted)
    assert [(s.key, s.value) for s in made.setup if isinstance(s, steps.WriteSysctl)] == list(
        wanted.items()
    )
