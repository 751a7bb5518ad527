"""From a record to a runtime spec: what every container gets, and what a request changes."""

import json
from pathlib import Path

import msgspec
import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers import defaults
from boxship.engine.containers.paths import Paths
from boxship.engine.containers.planner import Planner
from boxship.engine.containers.record import ContainerRecord, MountPoint
from boxship.engine.containers.requests import ExecConfig
from boxship.engine.containers.runtimes import Runtimes
from boxship.engine.containers.spec import assembly, filesystems
from boxship.engine.containers.spec.devices import device_rules, devices
from boxship.engine.containers.spec.resources import resources
from boxship.engine.containers.spec.seccomp import profile_of
from boxship.engine.containers.spec.surroundings import Surroundings
from boxship.engine.settings import Configured, EngineSettings
from boxship.model.container import ContainerConfig, DeviceMapping, HostConfig, Ulimit
from boxship.oci.runtime import DeviceRule, Spec
from boxship.runtime.blueprint import Plan
from boxship.runtime.capabilities import ALL, CAPABILITIES
from boxship.runtime.cgroups.layout import Hierarchy, Layout
from boxship.runtime.host import Host
from boxship.runtime.steps import MountOverlay
from boxship.storage.snapshots import OverlayMount

ID = "c" * 64
FILES = Paths("/data", "/exec").of(ID)


def record(host: str = "{}", config: str = "{}", *mounts: MountPoint) -> ContainerRecord:
    wanted = msgspec.json.decode(host, type=HostConfig)
    return ContainerRecord(
        id=ID,
        name="web",
        created_ns=1,
        image_id="",
        path="/bin/sh",
        args=("-c", "true"),
        config=msgspec.json.decode(config, type=ContainerConfig),
        host=defaults.fill(wanted, EngineSettings(), unified_cgroups=False, runtime="boxship"),
        mounts=mounts,
    )


def around(**changes: object) -> Surroundings:
    base: dict[str, object] = {
        "files": FILES,
        "hostname": "box",
        "cgroup_parent": "/boxship",
        "unified_cgroups": False,
        "capabilities": ALL,
    }
    return Surroundings(**{**base, **changes})  # type: ignore[arg-type]


def spec(host: str = "{}", config: str = "{}", *mounts: MountPoint, **changes: object) -> Spec:
    return assembly.assemble(record(host, config, *mounts), around(**changes))


def options(made: Spec, target: str) -> tuple[str, ...]:
    (found,) = (mount for mount in made.mounts if mount.destination == target)
    return found.options


def test_a_plain_container_is_as_dockers() -> None:
    made = spec()
    assert made.process is not None
    assert made.process.args == ("/bin/sh", "-c", "true")
    assert made.process.env == (
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOSTNAME=box",
    )
    assert made.process.cwd == "/"
    assert made.process.capabilities is not None
    assert len(made.process.capabilities.bounding) == 14
    assert made.process.capabilities.inheritable == ()
    assert made.hostname == "box"
    assert made.linux.cgroups_path == f"/boxship/{ID}"
    assert {n.type: n.path for n in made.linux.namespaces} == {
        "mount": "", "uts": "", "network": "", "pid": "", "ipc": "",
    }  # fmt: skip
    assert [mount.destination for mount in made.mounts] == [
        "/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm",
        "/etc/resolv.conf", "/etc/hostname", "/etc/hosts",
    ]  # fmt: skip
    assert "ro" in options(made, "/sys")
    assert "size=67108864" in options(made, "/dev/shm")
    assert Spec.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_privileged_gives_everything_the_daemon_itself_has() -> None:
    made = spec('{"Privileged":true}', capabilities=0b111)
    assert made.process is not None
    assert made.process.capabilities is not None
    assert made.process.capabilities.bounding == (
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH",
    )  # fmt: skip
    assert made.linux.masked_paths == ()
    assert "rw" in options(made, "/sys")
    assert made.linux.resources.devices == (DeviceRule(allow=True, access="rwm"),)
    assert "/dev/null" in {device.path for device in made.linux.devices}


def test_privileged_has_devices_by_other_names_too() -> None:
    mapped = '{"PathOnHost":"/dev/null","PathInContainer":"%s","CgroupPermissions":"r"}'
    both = ",".join(mapped % path for path in ("/dev/other", "/dev/null"))
    made = spec(f'{{"Privileged":true,"Devices":[{both}]}}').linux
    paths = [device.path for device in made.devices]
    assert (paths.count("/dev/other"), paths.count("/dev/null")) == (1, 1)
    assert made.resources.devices == (DeviceRule(allow=True, access="rwm"),)


@pytest.mark.parametrize(
    ("parent", "systemd", "path"),
    [
        ("", False, f"/boxship/{ID}"),
        ("a/b/", False, f"/a/b/{ID}"),
        ("/../../a", False, f"/a/{ID}"),
        ("/", False, f"/{ID}"),
        ("", True, f"system.slice:boxship:{ID}"),
        ("a-b.slice", True, f"a-b.slice:boxship:{ID}"),
    ],
)
def test_cgroup_parents(parent: str, systemd: bool, path: str) -> None:
    made = spec(f'{{"CgroupParent":"{parent}"}}', systemd_cgroups=systemd)
    assert made.linux.cgroups_path == path


@pytest.mark.option("HostConfig.Annotations")
def test_annotations_go_to_the_runtime() -> None:
    assert spec('{"Annotations":{"a":"b"}}').annotations == {"a": "b"}
    assert spec().annotations == {}


def test_cgroups_are_written_to_by_those_who_may() -> None:
    asked = '{"SecurityOpt":["writable-cgroups=true"]}'
    assert options(spec(asked), "/sys/fs/cgroup")[0] == "rw"
    assert options(spec(), "/sys/fs/cgroup")[0] == "ro"
    kept = '{"Privileged":true,"SecurityOpt":["writable-cgroups=false"]}'
    assert options(spec(kept), "/sys/fs/cgroup")[0] == "ro"
    assert options(spec(kept), "/sys")[-1] == "rw"


@pytest.mark.parametrize(
    ("option", "modules", "profile"),
    [
        ("apparmor=mine", ("apparmor",), "mine"),
        ("apparmor:mine", ("apparmor",), "mine"),
        ("apparmor=unconfined", ("apparmor",), ""),
        ("apparmor=mine", ("selinux",), ""),
        ("label=disable", ("apparmor",), ""),
    ],
)
def test_an_apparmor_profile(option: str, modules: tuple[str, ...], profile: str) -> None:
    host = f'{{"SecurityOpt":["{option}"]}}'
    for process in (
        spec(host, security_modules=modules).process,
        assembly.exec_process(record(host), ExecConfig(("x",)), around(security_modules=modules)),
    ):
        assert process is not None
        assert process.apparmor_profile == profile


def test_who_shares_the_hosts_processes_has_no_label() -> None:
    for host in ('{"Privileged":true}', '{"PidMode":"host"}', '{"IpcMode":"host"}'):
        assert record(host).host.security_opt == ("label=disable",)
    kept = '{"PidMode":"host","SecurityOpt":["label=type:x"]}'
    assert record(kept).host.security_opt == ("label=type:x",)


def test_namespaces_shared_with_the_host_are_left_out() -> None:
    made = spec('{"NetworkMode":"host","PidMode":"host","IpcMode":"host","UTSMode":"host"}')
    assert {namespace.type for namespace in made.linux.namespaces} == {"mount"}
    assert made.hostname == ""


def test_namespaces_of_other_containers_are_joined() -> None:
    made = spec(
        f'{{"NetworkMode":"container:{ID}","PidMode":"container:{ID}","IpcMode":"container:{ID}"}}',
        network_pid=11,
        pid_pid=12,
        ipc_pid=13,
        shm_path="/exec/shm/x",
    )
    paths = {n.type: n.path for n in made.linux.namespaces}
    assert (paths["network"], paths["pid"], paths["ipc"]) == (
        "/proc/11/ns/net", "/proc/12/ns/pid", "/proc/13/ns/ipc",
    )  # fmt: skip
    (shm,) = (m for m in made.mounts if m.destination == "/dev/shm")
    assert shm.source == "/exec/shm/x"


def test_no_ipc_means_no_shm() -> None:
    assert "/dev/shm" not in {m.destination for m in spec('{"IpcMode":"none"}').mounts}


def test_a_persons_mounts_replace_dockers_and_parents_come_first() -> None:
    made = spec(
        '{"Tmpfs":{"/a":"size=1m"}}',
        "{}",
        MountPoint("bind", "/a/b/c", "/src", propagation="rprivate", options=("rbind",)),
        MountPoint("bind", "/etc/hosts", "/my", propagation="rprivate", options=("rbind",)),
        MountPoint("bind", "/dev/shm", "/s", propagation="rprivate", options=("rbind",)),
    )
    targets = [mount.destination for mount in made.mounts]
    assert targets.count("/etc/hosts") == targets.count("/dev/shm") == 1
    assert targets.index("/a") < targets.index("/a/b/c")
    assert targets.index("/dev") < targets.index("/dev/shm")
    assert options(made, "/a") == ("noexec", "nosuid", "nodev", "size=1m")


def test_read_only_binds_are_so_all_the_way_down_unless_asked_otherwise() -> None:
    deep = MountPoint("bind", "/a", "/s", "ro", False, "rprivate", ("rbind",))
    flat = MountPoint("bind", "/b", "/s", "", False, "rprivate", ("rbind", "ro-non-recursive"))
    one = MountPoint("bind", "/c", "/s", "", False, "rslave", ("bind",))
    made = spec("{}", "{}", deep, flat, one)
    assert options(made, "/a") == ("rbind", "rro", "rprivate")
    assert options(made, "/b") == ("rbind", "ro", "rprivate")
    assert options(made, "/c") == ("bind", "ro", "rslave")
    assert made.linux.rootfs_propagation == "rslave"


def test_an_init_is_shown_read_only() -> None:
    made = spec('{"Init":true}', init_path="/data/init-x86_64")
    assert options(made, filesystems.INIT_TARGET) == ("bind", "ro")


def test_limits() -> None:
    host = record(
        '{"Memory":104857600,"NanoCpus":1500000000,"CpuShares":512,"CpusetCpus":"0",'
        '"PidsLimit":50,"MemorySwappiness":0,"OomKillDisable":true}'
    ).host
    made = resources(host, ())
    assert made.memory is not None
    assert (made.memory.limit, made.memory.swap, made.memory.swappiness) == (
        2**20 * 100,
        2**20 * 200,
        0,
    )
    assert made.memory.disable_oom_killer
    assert made.cpu is not None
    assert (made.cpu.quota, made.cpu.period, made.cpu.shares) == (150_000, 100_000, 512)
    assert made.pids is not None and made.pids.limit == 50
    empty = resources(record().host, ())
    assert (empty.memory, empty.cpu, empty.pids, empty.block_io) == (None, None, None, None)


def test_ulimits_and_environment() -> None:
    at = record(config='{"Tty":true,"Env":["A=1","PATH=/x","GONE=1","GONE"]}')
    host = msgspec.structs.replace(at.host, ulimits=(Ulimit("core", -1, 0),))
    made = assembly.process(msgspec.structs.replace(at, host=host), around())
    assert made.env == ("PATH=/x", "HOSTNAME=box", "TERM=xterm", "A=1")
    assert (made.rlimits[0].type, made.rlimits[0].hard) == ("RLIMIT_CORE", 2**64 - 1)


def test_devices(tmp_path: Path) -> None:
    mapping = DeviceMapping("/dev/full", "/dev/mine", "r")
    host = msgspec.structs.replace(
        record().host, devices=(mapping,), device_cgroup_rules=("b 8:* rw",)
    )
    (node,) = devices(host)
    assert (node.path, node.type, node.major, node.minor) == ("/dev/mine", "c", 1, 7)
    rules = device_rules(host, (node,))
    assert rules[0] == DeviceRule(allow=False, access="rwm")
    assert rules[-2:] == (
        DeviceRule(allow=True, type="c", major=1, minor=7, access="r"),
        DeviceRule(allow=True, type="b", major=8, minor=None, access="rw"),
    )
    for path, reason in (
        (f"{tmp_path}/no", "no such file or directory"),
        ("/etc/hosts", "not a device node"),
        (str(tmp_path), "not a device node"),
    ):
        bad = msgspec.structs.replace(host, devices=(DeviceMapping(path, "/dev/x", "rwm"),))
        with pytest.raises(InvalidArgumentError, match=reason):
            devices(bad)


def test_an_exec_inherits_the_container_and_may_have_more() -> None:
    at = record(config='{"WorkingDir":"/srv","User":"app","Env":["A=1"]}')
    plain = assembly.exec_process(at, ExecConfig(("x",)), around())
    assert (plain.cwd, plain.user.username) == ("/srv", "app")
    assert "A=1" in plain.env
    more = ExecConfig(("x",), user="0", working_dir="/", env=("A=2",), privileged=True, tty=True)
    made = assembly.exec_process(at, more, around())
    assert (made.cwd, made.user.username, made.terminal) == ("/", "0", True)
    assert "A=2" in made.env and "A=1" not in made.env and "TERM=xterm" in made.env
    assert made.capabilities is not None
    assert len(made.capabilities.bounding) > 30


def seccomp(host: str, capabilities: tuple[str, ...] = (), daemon: str = "") -> object:
    return profile_of(
        msgspec.json.decode(host, type=HostConfig), daemon, capabilities, Host(Layout())
    )


def test_seccomp_profiles() -> None:
    assert seccomp('{"Privileged":true}') is None
    assert seccomp('{"SecurityOpt":["seccomp=unconfined"]}') is None
    assert seccomp("{}", daemon="unconfined") is None
    assert seccomp("{}") is not None


def test_a_profile_in_dockers_format_is_resolved_for_this_machine() -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
        "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ALLOW", "comment": "x"},
            {"names": ["a"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_BPF"]}},
            {"names": ["b"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_BPF"]}},
            {"names": ["c"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
            {"names": ["d"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "9.9"}},
            {"name": "e", "action": "SCMP_ACT_ALLOW", "args": None},
        ],
    }
    profile["syscalls"][-1].pop("args")  # type: ignore[index, attr-defined]
    text = json.dumps({"SecurityOpt": [f"seccomp={json.dumps(profile)}"]})
    for capabilities, names in (((), "read b e"), (("CAP_BPF",), "read a e")):
        made = seccomp(text, capabilities)
        assert [rule.names[0] for rule in made.syscalls] == names.split()  # type: ignore[attr-defined]
        assert made.architectures == ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86")  # type: ignore[attr-defined]
    bad = json.dumps({"SecurityOpt": ['seccomp={"defaultAction":"SCMP_ACT_NOPE"}']})
    with pytest.raises(InvalidArgumentError, match="Decoding seccomp profile failed"):
        seccomp(bad)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            {"archMap": [{"architecture": "SCMP_ARCH_X86_64"}], "architectures": ["x"]},
            "'architectures' and 'archMap' were both specified",
        ),
        (
            {"syscalls": [{"name": "a", "names": ["b"], "action": "SCMP_ACT_ALLOW"}]},
            "'name' and 'names' were both specified",
        ),
        ({"syscalls": [{"action": "SCMP_ACT_ALLOW"}]}, "name"),
    ],
)
def test_a_profile_that_says_two_things(more: dict[str, object], problem: str) -> None:
    profile = {"defaultAction": "SCMP_ACT_ALLOW", **more}
    text = json.dumps({"SecurityOpt": [f"seccomp={json.dumps(profile)}"]})
    with pytest.raises(InvalidArgumentError, match=problem):
        seccomp(text)


class _Nobody:
    """A shelf with no other containers."""


def planned(host: str, layout: Layout) -> Plan:
    machine = Host(layout=layout, capabilities=ALL)
    runtimes = Runtimes("boxship", {})
    planner = Planner(Configured(EngineSettings()), Paths("/data", "/exec"), machine, runtimes)
    overlay = OverlayMount("/data", ("l/a",), "/upper", "/work")
    return Plan.from_plain(planner.plan(record(host), overlay, _Nobody()))  # type: ignore[arg-type]


V1 = Layout((Hierarchy("/c/devices", ("devices",)),))
V2 = Layout(unified="/c", unified_controllers=("memory", "pids"))
NONE = Layout((Hierarchy("/c/memory", ("memory",)),), unified="/c/unified")


@pytest.mark.parametrize(
    ("host", "layout", "may"),
    [
        ("{}", V1, True),
        ("{}", V2, True),
        ("{}", NONE, False),
        ('{"CapAdd":["MKNOD"]}', NONE, False),
        ('{"Privileged":true}', NONE, True),
    ],
)
def test_without_device_rules_nobody_makes_or_opens_nodes(
    host: str, layout: Layout, may: bool
) -> None:
    plan = planned(host, layout)
    assert bool(plan.cgroup.device_program) is (layout is V2)
    assert plan.process.capabilities is not None
    bounding = plan.process.capabilities.bounding
    assert bool(bounding >> CAPABILITIES["CAP_MKNOD"] & 1) is may
    (root,) = (step for step in plan.setup if isinstance(step, MountOverlay))
    assert root.devices is may
