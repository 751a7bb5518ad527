"""``features``: each claim is put to the proof on this machine, or to the part that is to do it."""

import json
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.kernel import credentials
from boxship.oci import runtime as oci
from boxship.oci.codec import camel_case
from boxship.runtime import steps
from boxship.runtime.apply import Setup, walk
from boxship.runtime.cgroups.layout import Hierarchy, Layout
from boxship.runtime.cgroups.plan import plan_writes
from boxship.runtime.cgroups.units import plan_scope
from boxship.runtime.defaults import default_spec
from boxship.runtime.host import Host
from boxship.runtime.kernel import LINUX
from boxship.runtime.options import parse_options
from boxship.runtime.plan import plan
from boxship.runtime.seccomp.compiler import compile_filter
from support.boxes import in_a_shim

pytestmark = pytest.mark.privileged

SPEC = default_spec(("true",))
_GET_ACTION_AVAILABLE = 2
_SECCOMP = {"x86_64": 317, "aarch64": 277}


@pytest.fixture
def features(runtime) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(runtime.works("features"))
    return found


def planned(host: Host | None = None, **linux: Any) -> Any:
    spec = replace(SPEC, linux=replace(SPEC.linux, **linux))
    return plan(spec, "c1", host or Host.look(), steps.BindRoot("/r"))


def test_versions(features) -> None:
    for version in (features["ociVersionMin"], features["ociVersionMax"]):
        plan(replace(SPEC, oci_version=version), "c1", Host.look(), steps.BindRoot("/r"))


def test_hooks_are_those_we_have(features) -> None:
    """That each runs is tested in test_hooks.py."""
    assert features["hooks"] == [camel_case(field.name) for field in fields(oci.Hooks)]


def flags_of(target: Path) -> set[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, file_system = line.partition(" - ")
        if mount.split()[4] == str(target):
            return {*mount.split()[5].split(","), *file_system.split()[-1].split(",")}
    return set()


VISIBLE = {"ro", "rw", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow",
           "relatime", "sync", "dirsync", "lazytime"}  # fmt: skip


def test_mount_options(features, tmp_path: Path) -> None:
    """Each on a new tmpfs, or on a bind mount where it is one's; seen in mountinfo if it can be."""
    (tmp_path / "source").mkdir()
    (tmp_path / "target").mkdir()
    options = features["mountOptions"]
    assert len(options) > 50

    def seen(option: str) -> set[str]:
        def work() -> set[str]:
            setup = Setup(LINUX, lambda _: None)
            walk((steps.Unshare(("mnt",)), steps.SetPropagation("rprivate")), setup)
            setup.root = os.open("/", os.O_PATH)
            parsed = parse_options((option,))
            if option[0] == "r" and option not in ("relatime", "ro", "rw"):
                step: steps.Step = steps.BindMount(
                    str(tmp_path / "source"), str(tmp_path / "target"), option.startswith("rb"),
                    parsed.set_bits, parsed.clear_bits, parsed.recursive_set,
                    parsed.recursive_clear, parsed.propagation,
                )  # fmt: skip
            else:
                step = steps.Mount(
                    "tmpfs", "tmpfs", str(tmp_path / "target"), parsed.set_bits, parsed.data,
                    parsed.propagation, copy_up=parsed.copy_up,
                )  # fmt: skip
            walk((step,), setup)
            return flags_of(tmp_path / "target")

        return in_a_shim(work)

    for option in options:
        if option in ("idmap", "ridmap"):  # test_a_mount_shows_other_owners
            continue
        flags = seen(option)
        assert flags, option
        shown = option[1:] if option[0] == "r" and option[1:] in VISIBLE else option
        if shown in VISIBLE:
            assert shown in flags, option


def test_an_option_that_is_not_listed_is_refused_or_the_file_systems(features) -> None:
    assert not {"remount", "iversion", "size=5"} & set(features["mountOptions"])
    mount = oci.Mount("/x", "tmpfs", "x", ("remount",))
    with pytest.raises(InvalidArgumentError, match="remount"):
        plan(replace(SPEC, mounts=(mount,)), "c1", Host.look(), steps.BindRoot("/r"))
    assert parse_options(("size=5",)).data == ("size=5",)


def test_an_option_of_no_effect_is_told_of(runtime) -> None:
    shared = {"destination": "/tmp", "type": "bind", "source": "/tmp", "options": ["bind", "sync"]}
    runtime.configure("true", change=lambda c: c["mounts"].append(shared))
    done = runtime("run", "one")
    assert done.returncode == 0
    assert "options: sync: of no effect on a bind mount" in done.stderr


def test_namespaces(runtime, features) -> None:
    """A container has all of them, and each is another one than ours."""
    files = {"network": "net", "mount": "mnt"}
    names = {kind: files.get(kind, kind) for kind in features["linux"]["namespaces"]}
    maps = [{"containerID": 0, "hostID": 0, "size": 65536}]

    def change(document: dict[str, Any]) -> None:
        document["linux"] |= {
            "namespaces": [{"type": kind} for kind in names], "uidMappings": maps,
            "gidMappings": maps,
        }  # fmt: skip

    runtime.rootfs.chmod(0o755)
    script = "; ".join(f"readlink /proc/self/ns/{name}" for name in names.values())
    runtime.configure("sh", "-c", script, change=change)
    inside = runtime.works("run", "one").split()
    assert len(inside) == len(names) == 8
    assert not set(inside) & {os.readlink(f"/proc/self/ns/{name}") for name in names.values()}


def test_capabilities(runtime, features) -> None:
    names = features["linux"]["capabilities"]
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    assert len(names) >= last + 1
    sets = dict.fromkeys(("bounding", "effective", "permitted"), names)
    runtime.configure("cat", "/proc/self/status",
                      change=lambda c: c["process"].update(capabilities=sets))  # fmt: skip
    shown = dict(line.split(":\t", 1) for line in runtime.works("run", "one").splitlines())
    _, ours, _ = credentials.capget()
    assert int(shown["CapEff"], 16) == ours
    for position, name in enumerate(names[: last + 1]):
        if ours >> position & 1:
            one = {"effective": [name], "permitted": [name], "bounding": [name]}
            spec = replace(SPEC.process, capabilities=oci.Capabilities(**one))  # type: ignore[type-var]
            made = plan(replace(SPEC, process=spec), "c1", Host.look(), steps.BindRoot("/r"))
            assert made.process.capabilities is not None
            assert made.process.capabilities.effective == 1 << position, name


def test_cgroups(features) -> None:
    claims = features["linux"]["cgroup"]
    memory = oci.Resources(memory=oci.Memory(limit=100))
    v1, v2 = Layout((Hierarchy("/c/m", ("memory", "rdma")),)), Layout((), "/c", ("memory", "rdma"))
    if claims["v1"]:
        assert plan_writes(memory, v1)[-1].file == "memory.limit_in_bytes"
    if claims["v2"]:
        assert [w.file for w in plan_writes(memory, v2)] == ["memory.max"]
    if claims["rdma"]:
        wanted = oci.Resources(rdma={"mlx": oci.Rdma(1, 2)})
        assert {w.file for layout in (v1, v2) for w in plan_writes(wanted, layout)} == {"rdma.max"}
    if claims["systemd"]:
        assert plan_scope("a.slice:b:c", "c", memory, v2).scope is not None
    assert claims == {"v1": True, "v2": True, "systemd": True, "systemdUser": False, "rdma": True}


def test_seccomp_actions_are_the_kernels(features) -> None:
    """Each compiles to a value that the kernel has, and no two to the same but the old name."""
    values = {}
    for action in features["linux"]["seccomp"]["actions"]:
        rule = oci.SeccompRule(("mkdir",), action)
        default = "SCMP_ACT_ALLOW" if action != "SCMP_ACT_ALLOW" else "SCMP_ACT_ERRNO"
        profile = oci.Seccomp(default, listener_path="/agent", syscalls=(rule,))
        program = compile_filter(profile, os.uname().machine).program
        verdicts = {
            int.from_bytes(program[n + 4 : n + 8], "little")
            for n in range(0, len(program), 8)
            if program[n : n + 2] == b"\x06\x00"
        }
        values[action] = verdicts
    for action, verdicts in values.items():
        assert any(available(verdict & 0xFFFF0000) for verdict in verdicts), action
    assert len({frozenset(v) for v in values.values()}) >= len(values) - 2


def available(action: int) -> bool:
    import ctypes

    number = _SECCOMP[os.uname().machine]
    value = ctypes.c_uint32(action)
    libc = ctypes.CDLL(None)
    return libc.syscall(number, _GET_ACTION_AVAILABLE, 0, ctypes.byref(value)) == 0


def test_seccomp_operators_and_architectures_compile(features) -> None:
    """What they answer is tested in test_seccomp_compiler.py, for the same names."""
    claims = features["linux"]["seccomp"]
    programs = set()
    for operator in claims["operators"]:
        rule = oci.SeccompRule(("mkdir",), "SCMP_ACT_ERRNO", args=(oci.SeccompArg(0, 5, operator),))
        profile = oci.Seccomp("SCMP_ACT_ALLOW", syscalls=(rule,))
        programs.add(compile_filter(profile, os.uname().machine).program)
    assert len(programs) == len(oci.SECCOMP_OPERATORS) == len(claims["operators"])
    rule = oci.SeccompRule(("mkdir",), "SCMP_ACT_ERRNO")
    for architecture in claims["archs"]:
        made = [
            compile_filter(
                oci.Seccomp("SCMP_ACT_ALLOW", architectures=a, syscalls=(rule,)), "x86_64"
            )
            for a in (("SCMP_ARCH_X86_64",), ("SCMP_ARCH_X86_64", architecture))
        ]
        assert made[0] != made[1] or architecture == "SCMP_ARCH_X86_64"


def test_seccomp_flags_are_taken_by_the_kernel(features) -> None:
    claims = features["linux"]["seccomp"]
    assert claims["knownFlags"] == claims["supportedFlags"]
    assert set(claims["knownFlags"]) == set(oci.SECCOMP_FLAGS)
    for flag in claims["supportedFlags"]:
        notifies = flag.endswith("WAIT_KILLABLE_RECV")
        rule = oci.SeccompRule(("mkdir",), "SCMP_ACT_NOTIFY" if notifies else "SCMP_ACT_ERRNO")
        path = "/agent" if notifies else ""
        profile = oci.Seccomp("SCMP_ACT_ALLOW", flags=(flag,), listener_path=path, syscalls=(rule,))
        made = compile_filter(profile, os.uname().machine)

        def put_on(program: bytes = made.program, flags: int = made.flags) -> str:
            credentials.set_no_new_privileges()
            credentials.seccomp_set_filter(program, flags)
            return "done"

        assert in_a_shim(put_on) == "done", flag


def test_security_modules_and_the_like_where_the_machine_has_them(features) -> None:
    linux = features["linux"]
    assert linux["apparmor"] == linux["selinux"] == linux["intelRdt"] == {"enabled": True}
    assert linux["netDevices"] == linux["mountExtensions"]["idmap"] == {"enabled": True}
    able = replace(Host.look(), security_modules=("apparmor", "selinux"), resctrl="/r")
    assert SPEC.process is not None
    for label in ({"apparmor_profile": "x"}, {"selinux_label": "x"}):
        process = replace(SPEC.process, **label)  # type: ignore[arg-type]
        made = plan(replace(SPEC, process=process), "c1", able, steps.BindRoot("/r"))
        assert made.process.label.endswith("x")
    assert planned(able, intel_rdt=oci.IntelRdt("group")).cgroup != planned(able).cgroup
    moved = planned(net_devices={"eth9": oci.NetDevice("eth0")}).setup
    assert steps.MoveInterfaces((("eth9", "eth0"),)) in moved


def test_it_is_what_the_specifications_schema_wants(features) -> None:
    assert list(features) == ["ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux",
                              "annotations"]  # fmt: skip
    assert set(features["linux"]) == {
        "namespaces", "capabilities", "cgroup", "seccomp", "apparmor", "selinux", "intelRdt",
        "mountExtensions", "netDevices",
    }  # fmt: skip
