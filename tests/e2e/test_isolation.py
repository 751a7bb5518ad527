"""What a container's processes see, may do, and may not."""

import json
from pathlib import Path

import pytest

from support import residue
from support.cli import Cli

pytestmark = pytest.mark.privileged

RUN = ("run", "--rm", "--net=none")
DEFAULT_CAPABILITIES = "00000000a80425fb"


def status(docker: Cli, field: str, *flags: str) -> str:
    """A field of /proc/self/status inside."""
    line = docker(*RUN, *flags, "busybox", "grep", f"^{field}:", "/proc/self/status")
    return line.split()[1]


def test_default_capabilities(docker: Cli) -> None:
    assert status(docker, "CapEff") == DEFAULT_CAPABILITIES
    assert status(docker, "CapBnd") == DEFAULT_CAPABILITIES


def test_capabilities_dropped_and_added(docker: Cli) -> None:
    dropped = status(docker, "CapEff", "--cap-drop=ALL", "--cap-add=NET_ADMIN")
    assert int(dropped, 16) == 1 << 12


def test_another_user_has_no_effective_capabilities(docker: Cli) -> None:
    assert status(docker, "CapEff", "--user=daemon") == "0000000000000000"


def test_seccomp_filters(docker: Cli) -> None:
    assert status(docker, "Seccomp") == "2"
    assert status(docker, "Seccomp", "--security-opt=seccomp=unconfined") == "0"
    refused = docker.run(*RUN, "busybox", "unshare", "-U", "true")
    assert refused.code != 0
    assert "Operation not permitted" in refused.err


def test_no_new_privileges(docker: Cli) -> None:
    assert status(docker, "NoNewPrivs") == "0"
    assert status(docker, "NoNewPrivs", "--security-opt=no-new-privileges") == "1"


def test_only_standard_streams_are_open(docker: Cli) -> None:
    docker("run", "-d", "--net=none", "--name", "web", "busybox", "sleep", "1000")
    pid = int(docker("inspect", "-f", "{{.State.Pid}}", "web"))
    assert [line.split()[0] for line in residue.descriptors(pid)] == ["0", "1", "2"]


def test_masked_paths_are_empty(docker: Cli) -> None:
    masked = ["acpi", "kcore", "keys", "latency_stats", "scsi", "timer_list", "timer_stats"]
    there = [f"/proc/{name}" for name in masked if Path("/proc", name).exists()]
    there += [path for path in ["/sys/firmware"] if Path(path).exists()]
    assert there, "this kernel has something to hide"
    read = "for p in $*; do [ -d $p ] && ls -A $p || cat $p; done"
    assert docker(*RUN, "busybox", "sh", "-c", read, "sh", *there) == ""


@pytest.mark.parametrize(
    "path",
    ["/proc/sys/kernel/hostname", "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper"],
)
def test_kernel_settings_are_read_only(docker: Cli, path: str) -> None:
    refused = docker.run(*RUN, "busybox", "sh", "-c", f"echo x >{path}")
    assert refused.code != 0
    assert "Read-only file system" in refused.err


def test_devices(docker: Cli) -> None:
    names = docker(*RUN, "busybox", "ls", "/dev").split()
    expected = [
        "fd",
        "full",
        "mqueue",
        "null",
        "ptmx",
        "pts",
        "random",
        "shm",
        "stderr",
        "stdin",
        "stdout",
        "tty",
        "urandom",
        "zero",
    ]
    assert names == (["core", *expected] if Path("/proc/kcore").exists() else expected)
    made = docker.run(*RUN, "busybox", "sh", "-c", "mknod /tmp/d b 254 0; cat /tmp/d")
    assert "Operation not permitted" in made.err


def test_namespaces_are_its_own(docker: Cli) -> None:
    kinds = ["mnt", "pid", "net", "ipc", "uts"]
    links = " ".join(f"/proc/self/ns/{kind}" for kind in kinds)
    inside = docker(*RUN, "busybox", "sh", "-c", f"for n in {links}; do readlink $n; done").split()
    outside = [str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in kinds]
    assert set(inside).isdisjoint(outside)


def test_network_none_has_a_working_loopback(docker: Cli) -> None:
    assert (
        docker(*RUN, "busybox", "sh", "-c", "ls /sys/class/net; ping -c1 -q 127.0.0.1 >&2") == "lo"
    )


def test_network_host(docker: Cli) -> None:
    inside = docker("run", "--rm", "--net=host", "busybox", "readlink", "/proc/self/ns/net")
    assert inside.startswith("net:[")


def test_network_of_another_container(docker: Cli) -> None:
    docker("run", "-d", "--net=none", "--name", "first", "busybox", "sleep", "1000")
    link = ("readlink", "/proc/self/ns/net")
    joined = docker("run", "--rm", "--net=container:first", "busybox", *link)
    assert joined == docker("exec", "first", *link)


def test_user_by_name_id_and_group(docker: Cli) -> None:
    assert docker(*RUN, "--user=www-data", "busybox", "id") == (
        "uid=33(www-data) gid=33(www-data) groups=33(www-data),100(users)"
    )
    by_id = docker(*RUN, "--user=1234:5678", "--group-add=100", "busybox", "id")
    assert by_id == "uid=1234 gid=5678 groups=100(users),5678"
    unknown = docker.run(*RUN, "--user=nobody-knows", "busybox", "id")
    assert unknown.code == 125
    assert "no matching entries in passwd file" in unknown.err


def test_environment_directory_and_hostname(docker: Cli) -> None:
    flags = ("--hostname=shop", "--workdir=/srv/new", "-e", "COLOR=blue")
    assert docker(*RUN, *flags, "busybox", "sh", "-c", "hostname; pwd; echo $COLOR $HOME") == (
        "shop\n/srv/new\nblue /root"
    )
    assert "shop" in docker(
        *RUN, "--hostname=shop", "busybox", "cat", "/etc/hostname", "/etc/hosts"
    )


def test_read_only_root_and_tmpfs(docker: Cli) -> None:
    refused = docker.run(*RUN, "--read-only", "busybox", "touch", "/x")
    assert "Read-only file system" in refused.err
    line = docker(
        *RUN,
        "--read-only",
        "--tmpfs=/scratch:size=1m",
        "busybox",
        "sh",
        "-c",
        "touch /scratch/x; grep ' /scratch ' /proc/mounts",
    )
    assert "tmpfs" in line
    assert "size=1024k" in line


def test_bind_mounts(docker: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("outside\n")
    assert docker(*RUN, "-v", f"{tmp_path}:/data:ro", "busybox", "cat", "/data/file") == "outside"
    refused = docker.run(*RUN, "-v", f"{tmp_path}:/data:ro", "busybox", "touch", "/data/new")
    assert "Read-only file system" in refused.err
    docker(*RUN, "-v", f"{tmp_path}:/data", "busybox", "touch", "/data/new")
    assert (tmp_path / "new").exists()


@pytest.mark.option("HostConfig.Privileged")
@pytest.mark.boxshipd  # an older runc insists on capabilities that dockerd itself may lack
def test_privileged(docker: Cli) -> None:
    own = int(Path("/proc/self/status").read_text().split("CapBnd:")[1].split()[0], 16)
    assert int(status(docker, "CapEff", "--privileged"), 16) == own
    assert status(docker, "Seccomp", "--privileged") == "0"


@pytest.mark.boxshipd  # Debian's docker.io looks for docker-init, which it only suggests
def test_init_reaps_and_forwards(docker: Cli) -> None:
    docker("run", "-d", "--init", "--net=none", "--name", "web", "busybox", "sleep", "1000")
    first = docker("exec", "web", "ps", "-o", "pid,args").splitlines()[1]
    assert "sleep" in first
    assert first.split()[0] == "1"
    assert docker("exec", "web", "pidof", "sleep") != "1"
    docker("stop", "web")
    assert docker("inspect", "-f", "{{.State.ExitCode}}", "web") == "143"


@pytest.mark.option("StopSignal", "StopTimeout")
def test_stop_signal_and_timeout(docker: Cli) -> None:
    wait = "trap 'echo usr1; exit 0' USR1; while :; do sleep 0.1; done"
    docker(
        "run",
        "-d",
        "--net=none",
        "--name",
        "polite",
        "--stop-signal=USR1",
        "busybox",
        "sh",
        "-c",
        wait,
    )
    docker("stop", "polite")
    assert docker("logs", "polite") == "usr1"
    docker(
        "run", "-d", "--net=none", "--name", "deaf", "--stop-timeout=1", "busybox", "sleep", "1000"
    )
    docker("stop", "deaf")
    assert docker("inspect", "-f", "{{.State.ExitCode}}", "deaf") == "137"


def test_proc_self_exe_is_of_the_image(docker: Cli) -> None:
    """No program of the host can be reached through /proc/1/exe."""
    docker("run", "-d", "--net=none", "--name", "web", "busybox", "sleep", "1000")
    assert docker("exec", "web", "readlink", "/proc/1/exe") == "/bin/sleep"


def test_inspect_shows_what_was_asked_for(docker: Cli) -> None:
    docker("create", "--name", "web", "--memory=64m", "--cpus=0.5", "--read-only", "busybox", "sh")
    host = json.loads(docker("inspect", "web"))[0]["HostConfig"]
    assert (host["Memory"], host["NanoCpus"], host["ReadonlyRootfs"]) == (
        64 << 20,
        500_000_000,
        True,
    )
