"""What an option of ``docker run`` comes to, as seen from inside the container."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.cli import Cli
from support.engine import Engine
from support.waiting import eventually

pytestmark = pytest.mark.privileged

RUN = ("run", "--rm", "--net=none")
CGROUP = "/sys/fs/cgroup"
PARENT = f"bx-options-{os.getpid()}"
V1 = Path(CGROUP, "memory/memory.limit_in_bytes").exists()
BLOCK = next((f"/dev/{disk.name}" for disk in Path("/sys/block").glob("[sv]d?")), "")


def see(*files: str) -> str:
    return f"cd {CGROUP}; cat {' '.join(files)}"


def number_of(path: str) -> str:
    device = os.stat(path).st_rdev
    return f"{os.major(device)}:{os.minor(device)}"


# Options, script, what it says.
ANYWHERE = [
    ("--sysctl net.core.somaxconn=77", "cat /proc/sys/net/core/somaxconn", "77"),
    ("--sysctl kernel.msgmax=77", "cat /proc/sys/kernel/msgmax", "77"),
    ("--sysctl fs.mqueue.msg_max=7", "cat /proc/sys/fs/mqueue/msg_max", "7"),
    ("--oom-score-adj 500", "cat /proc/self/oom_score_adj", "500"),
    ("--shm-size 1m", "df -k /dev/shm | awk 'END {print $2}'", "1024"),
    ("--ipc none", "grep -c /dev/shm /proc/mounts", "0"),
    ("--ulimit nofile=77:88", "ulimit -S -n; ulimit -H -n", "77 88"),
    ("--group-add 77", "id -G", "0 77"),
    ("--cpuset-cpus 1", "grep Cpus_allowed_list /proc/self/status", "Cpus_allowed_list: 1"),
    ("--security-opt no-new-privileges:true", "grep NoNewPrivs /proc/self/status", "NoNewPrivs: 1"),
    (
        "--security-opt no-new-privileges=false",
        "grep NoNewPrivs /proc/self/status",
        "NoNewPrivs: 0",
    ),
    ("--security-opt systempaths=unconfined", "grep -c ' /proc/' /proc/mounts", "0"),
    ("--security-opt label=disable", "echo ok", "ok"),
    ("--security-opt apparmor=unconfined", "echo ok", "ok"),
    ("--cgroupns private", "grep -c '[0-9a-f]{64}' -E /proc/self/cgroup", "0"),
    ("--tmpfs /t:size=1m,mode=700", "stat -c %a /t; df -k /t | awk 'END {print $2}'", "700 1024"),
    ("--tmpfs /t:exec", "grep -c ' /t .*noexec' /proc/mounts", "0"),
    ("--mount type=tmpfs,dst=/t,tmpfs-mode=0711", "stat -c %a /t", "711"),
    ("--read-only --tmpfs /t", "touch /t/x && echo ok; touch /x 2>/dev/null || echo ro", "ok ro"),
    ("--userns host", "cat /proc/self/uid_map | tr -s ' '", "0 0 4294967295"),
    ("--cap-drop ALL", "grep CapBnd /proc/self/status", "CapBnd: 0000000000000000"),
    (
        "--cap-drop ALL --cap-add chown --cap-add CAP_KILL",
        "grep CapEff /proc/self/status",
        "CapEff: 0000000000000021",
    ),
]
ON_V1 = [
    ("--cpu-shares 77", see("cpu/cpu.shares"), "77"),
    ("--cpus 1.5", see("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"), "150000 100000"),
    (
        "--cpu-period 5000 --cpu-quota 2500",
        see("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"),
        "2500 5000",
    ),
    ("--cpuset-mems 0", see("cpuset/cpuset.mems"), "0"),
    (
        "-m 20m --memory-reservation 10m --memory-swappiness 5",
        "cd /sys/fs/cgroup/memory;"
        "cat memory.limit_in_bytes memory.soft_limit_in_bytes memory.swappiness",
        "20971520 10485760 5",
    ),
    (
        "-m 20m --oom-kill-disable",
        see("memory/memory.oom_control") + "| head -1",
        "oom_kill_disable 1",
    ),
    ("--pids-limit 9", see("pids/pids.max"), "9"),
    ("--pids-limit -1", see("pids/pids.max"), "max"),
    (f"--cgroup-parent /{PARENT}", f"grep -c pids:/{PARENT}/ /proc/self/cgroup", "1"),
    (f"--cgroup-parent ../../{PARENT}", f"grep -c pids:/{PARENT}/ /proc/self/cgroup", "1"),
]


@pytest.mark.option("HostConfig.CgroupnsMode", "HostConfig.IpcMode", "HostConfig.UsernsMode")
@pytest.mark.parametrize(("options", "script", "says"), ANYWHERE)
def test_options(docker: Cli, options: str, script: str, says: str) -> None:
    done = docker.run(*RUN, *options.split(), "busybox", "sh", "-c", script)
    assert done.out.split() == says.split(), done


@pytest.mark.option("HostConfig.MemorySwappiness", "HostConfig.OomKillDisable")
@pytest.mark.skipif(not V1, reason="the files of cgroup v1")
@pytest.mark.parametrize(("options", "script", "says"), ON_V1)
def test_limits_in_the_files_of_cgroup_v1(
    docker: Cli, options: str, script: str, says: str
) -> None:
    done = docker.run(*RUN, *options.split(), "busybox", "sh", "-c", script)
    assert done.out.split() == says.split(), done
    for parent in Path(CGROUP).glob(f"*/{PARENT}"):
        parent.rmdir()


@pytest.mark.skipif(not (V1 and BLOCK), reason="needs cgroup v1 and a block device")
def test_block_devices_are_throttled(docker: Cli) -> None:
    options = (f"--device-read-bps={BLOCK}:1m", f"--device-write-iops={BLOCK}:10")
    files = ("blkio/blkio.throttle.read_bps_device", "blkio/blkio.throttle.write_iops_device")
    out = docker(*RUN, *options, "busybox", "sh", "-c", see(*files))
    assert out.split() == [number_of(BLOCK), "1048576", number_of(BLOCK), "10"]


PROFILES = {
    "oci": '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],'
    '"syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}',
    "docker": '{"defaultAction":"SCMP_ACT_ALLOW","archMap":[{"architecture":"SCMP_ARCH_X86_64",'
    '"subArchitectures":["SCMP_ARCH_X86"]},{"architecture":"SCMP_ARCH_AARCH64"}],"syscalls":[{"names":'
    '["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":38,"includes":{"caps":["CAP_CHOWN"],'
    '"minKernel":"4.0"},"excludes":{"arches":["s390"]}}]}',
}


@pytest.mark.parametrize("name", PROFILES)
def test_a_seccomp_profile_of_ones_own(docker: Cli, tmp_path: Path, name: str) -> None:
    (tmp_path / "profile.json").write_text(PROFILES[name])
    option = f"--security-opt=seccomp={tmp_path / 'profile.json'}"
    done = docker.run(*RUN, option, "busybox", "mkdir", "/x")
    assert "Function not implemented" in done.err
    if name == "docker":
        docker(*RUN, option, "--cap-drop=CHOWN", "busybox", "mkdir", "/x")


@pytest.mark.option("HostConfig.Mounts[].BindOptions.ReadOnlyNonRecursive")
def test_binds_are_read_only_all_the_way_down(docker: Cli) -> None:
    """/sys has mounts below it; the first of three ways is what clients of old asked for."""
    count = "grep ' /x' /proc/mounts | grep -c ' ro[, ]'"
    writable = "--mount=type=bind,src=/sys,dst=/x,ro,bind-recursive=writable"
    assert docker.run(*RUN, writable, "busybox", "sh", "-c", count).out == "1\n"


@pytest.mark.option("HostConfig.Mounts[].BindOptions.ReadOnlyForceRecursive")
@pytest.mark.boxshipd  # Debian's dockerd is from before that
def test_read_only_binds_of_newer_clients(docker: Cli) -> None:
    rest = "grep ' /x' /proc/mounts | grep -vc ' ro[, ]'"
    for more in ("", ",bind-recursive=readonly,bind-propagation=rprivate"):
        option = f"--mount=type=bind,src=/sys,dst=/x,ro{more}"
        assert docker.run(*RUN, option, "busybox", "sh", "-c", rest).out == "0\n"


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A mount of the host's that shares what is mounted in it."""
    place = tmp_path / "shared"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "none", str(place)]
    subprocess.run(mount, check=True)
    try:
        subprocess.run(["mount", "--make-rshared", str(place)], check=True)
        (place / "inside").mkdir()
        yield place
    finally:
        subprocess.run(["umount", "--recursive", str(place)], check=True)


@pytest.mark.option("HostConfig.Mounts[].BindOptions.Propagation")
def test_mounts_are_shared_with_the_host_where_asked(docker: Cli, shared: Path) -> None:
    script = "mount -t tmpfs none /x/inside && exec sleep 1000"
    for propagation, is_seen in (("rshared", True), ("rslave", False)):
        bind = f"--mount=type=bind,src={shared},dst=/x,bind-propagation={propagation}"
        options = ("--net=none", "--cap-add=SYS_ADMIN", f"--name={propagation}", bind)
        docker("run", "-d", *options, "busybox", "sh", "-c", script)
        mounted = ("exec", propagation, "grep", "-q", " /x/inside ", "/proc/mounts")
        eventually(lambda: docker.run(*mounted).code == 0, "the mount inside")  # noqa: B023
        assert (shared / "inside").is_mount() == is_seen
        if is_seen:
            subprocess.run(["umount", str(shared / "inside")], check=True)


@pytest.mark.option("HostConfig.PidMode", "HostConfig.IpcMode", "HostConfig.UTSMode")
@pytest.mark.parametrize("kind", ["pid", "ipc", "uts"])
def test_a_namespace_of_the_hosts(docker: Cli, kind: str) -> None:
    link = f"/proc/self/ns/{kind}"
    assert docker(*RUN, f"--{kind}=host", "busybox", "readlink", link) == os.readlink(link)


@pytest.mark.option("HostConfig.PidMode", "HostConfig.IpcMode")
@pytest.mark.parametrize("kind", ["pid", "ipc"])
def test_a_namespace_of_another_container(docker: Cli, kind: str) -> None:
    docker("run", "-d", "--net=none", "--ipc=shareable", "--name=donor", "busybox", "sleep", "1000")
    link = ("readlink", f"/proc/self/ns/{kind}")
    joined = docker(*RUN, f"--{kind}=container:donor", "busybox", *link)
    assert joined == docker("exec", "donor", *link)
    docker("stop", "-t0", "donor")
    done = docker.run(*RUN, f"--{kind}=container:donor", "busybox", "true")
    assert done.code == 125
    assert "running" in done.err


# Options and what the refusal says, in whichever words.
REFUSED = [
    ("--sysctl kernel.shmmax=7777 --ipc=host", "kernel.shmmax"),
    ("--uts=host --hostname=x", "conflicting options: hostname and the UTS mode"),
    ("--ipc=container:private", "non-shareable IPC"),
    ("--ipc=container:no-such", "No such container: no-such"),
    ("--pid=container:no-such", "No such container: no-such"),
    ("--device=/dev/no-such", "error gathering device information"),
    ("--device-write-iops=/dev/no-such:10", "stat /dev/no-such: no such file or directory"),
    ("--group-add=no-such", "no matching entries in group file"),
    ("--memory=1m", "Minimum memory limit allowed is 6MB"),
    ("--memory=20m --memory-swap=10m", "Minimum memoryswap limit should be larger"),
    ("--cpus=99", "Range of CPUs is from 0.01 to"),
    ("--cpus=1 --cpu-quota=1000", "Nano CPUs and CPU Quota cannot both be set"),
    ("--cpuset-cpus=99", "Requested CPUs are not available"),
    ("--oom-score-adj=1001", "range for oom score adj is [-1000, 1000]"),
    ("--isolation=hyperv", "Invalid isolation"),
    ("--storage-opt=size=1G", "--storage-opt is supported only for overlay over xfs"),
    ("--security-opt=credentialspec=file://x", "invalid --security-opt 2"),
    ("--cap-add=NO_SUCH", 'unknown capability: "CAP_NO_SUCH"'),
    ("--tmpfs=/t:no-such", "invalid tmpfs option"),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_refusals(docker: Cli, options: str, words: str) -> None:
    if "container:private" in options:
        docker("run", "-d", "--net=none", "--name=private", "busybox", "sleep", "1000")
    done = docker.run(*RUN, *options.split(), "busybox", "true")
    assert done.code in {125, 127}
    assert words in done.err


def test_a_limit_that_the_kernel_does_not_have_is_told_of(docker: Cli) -> None:
    if Path(CGROUP, "blkio/blkio.weight").exists() or not V1:
        pytest.skip("this kernel has it")
    done = docker.run(*RUN, "--blkio-weight=100", "busybox", "echo", "ok")
    assert done.out == "ok\n"
    assert "WARNING: Your kernel does not support Block I/O weight" in done.err


@pytest.mark.boxshipd  # an older runc insists
def test_a_limit_above_what_the_daemon_may_give_is_lowered(docker: Cli) -> None:
    out = docker(*RUN, "--ulimit=nofile=99999999", "busybox", "sh", "-c", "ulimit -n")
    assert 0 < int(out) <= 99999999


@pytest.mark.skipif(
    not Path(CGROUP, "cpu/cpu.rt_runtime_us").exists(), reason="no real-time groups"
)
def test_real_time_is_given_on_from_the_daemon(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine("--cpu-rt-runtime=9000")
    engine.start()
    engine.load("busybox")
    script = see("cpu/cpu.rt_runtime_us")
    run = (*RUN, "--cpu-rt-runtime=1000", "busybox", "sh", "-c", script)
    assert engine.docker(*run) == "1000"


def test_defaults_of_the_daemon(make_engine: Callable[..., Engine], tmp_path: Path) -> None:
    (tmp_path / "profile.json").write_text(PROFILES["oci"])
    engine = make_engine(
        "--no-new-privileges",
        f"--seccomp-profile={tmp_path / 'profile.json'}",
        "--default-ulimit=nofile=77:88",
        "--default-ipc-mode=shareable",
        "--default-cgroupns-mode=private",
        "--default-shm-size=1m",
    )
    engine.start()
    engine.load("busybox")
    script = (
        "grep NoNewPrivs /proc/self/status; mkdir /x; ulimit -H -n; df -k /dev/shm | tail -1;"
        "grep -cE '[0-9a-f]{64}' /proc/self/cgroup"
    )
    done = engine.docker.run(*RUN, "busybox", "sh", "-c", script)
    assert re.fullmatch(r"NoNewPrivs:\s1\n88\nshm +1024 .*\n0\n", done.out), done
    assert "Function not implemented" in done.err
    options = engine.docker("info", "-f", "{{.SecurityOptions}}")
    assert f"profile={tmp_path / 'profile.json'}" in options
    assert "name=no-new-privileges" in options
