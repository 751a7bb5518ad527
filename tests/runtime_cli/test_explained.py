"""The script that ``explain`` prints makes the container that ``run`` makes: both are compared."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runtime_cli.conftest import Runtime

pytestmark = pytest.mark.privileged

LOOK = """
echo "host name $(cat /proc/sys/kernel/hostname), pid $$, directory $(pwd), umask $(umask)"
echo "variables $A, $PATH"
id
cat /proc/self/oom_score_adj
while read -r line; do case $line in Cap*|NoNewPrivs*|Groups*) echo "$line";; esac; done \
    < /proc/self/status
while read -r a b c root point options rest; do echo "$point $options"; done < /proc/self/mountinfo
cat /proc/self/cgroup /proc/net/dev
ulimit -n
for file in /dev/* /proc/kcore /etc/more; do
    [ -L $file ] && echo "$file -> $(readlink $file)"
    [ -c $file ] && echo "$file is a device"
done
cat
"""


def remove_cgroups(runtime: Runtime) -> None:
    """Nobody looks after those that the script makes."""
    root = Path("/sys/fs/cgroup")
    for path in (*root.glob(runtime.cgroup), *root.glob(f"*/{runtime.cgroup}")):
        path.rmdir()


def seen_by_both(runtime: Runtime) -> tuple[str, str]:
    """Run the container in both ways; return what each says."""
    by_runtime = runtime("run", "one", input="what stdin says\n")
    assert (by_runtime.returncode, by_runtime.stderr) == (0, "")
    script = Path(runtime.place, "script")
    script.write_text(runtime.works("explain"))
    by_shell = subprocess.run(
        ["bash", script], input="what stdin says\n", capture_output=True, text=True, check=False
    )
    remove_cgroups(runtime)
    assert (by_shell.returncode, by_shell.stderr) == (0, "")
    assert by_runtime.stdout.endswith("what stdin says\n")
    return by_runtime.stdout, by_shell.stdout


@pytest.fixture(autouse=True)
def tools() -> None:
    for tool in ("bash", "capsh", "setpriv", "unshare", "prlimit"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed, which the script needs")


def test_a_container_as_spec_makes_it(runtime: Runtime) -> None:
    runtime.configure("sh", "-c", LOOK)
    by_runtime, by_shell = seen_by_both(runtime)
    assert by_shell == by_runtime
    assert "host name boxship, pid 1," in by_runtime
    assert "CapBnd:\t00000000a80425fb" in by_runtime


def test_one_with_a_user_a_directory_limits_and_mounts(runtime: Runtime) -> None:
    source = runtime.place / "it's here"
    source.mkdir()
    file = runtime.place / "file"
    file.write_text("x")

    def change(document: dict[str, Any]) -> None:
        document["hostname"] = "other"
        document["process"] |= {
            "cwd": "/work dir",
            "env": ["PATH=/bin", "A=two words"],
            "user": {"uid": 1000, "gid": 1001, "umask": 0o27, "additionalGids": [5, 10]},
            "noNewPrivileges": True,
            "oomScoreAdj": 77,
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 123, "hard": 456}],
        }
        document["mounts"] += [
            {
                "destination": "/srv",
                "type": "bind",
                "source": str(source),
                "options": ["rbind", "ro", "nosuid"],
            },
            {
                "destination": "/etc/more",
                "type": "bind",
                "source": str(file),
                "options": ["bind"],
            },
            {"destination": "/tmp", "type": "tmpfs", "source": "t", "options": ["size=1m"]},
        ]
        document["root"]["readonly"] = False
        document["linux"]["resources"] |= {"pids": {"limit": 20}, "cpu": {"shares": 100}}

    runtime.configure("sh", "-c", LOOK, change=change)
    by_runtime, by_shell = seen_by_both(runtime)
    assert by_shell == by_runtime
    assert "host name other, pid 1, directory /work dir, umask 0027" in by_runtime
    assert "/srv ro,nosuid" in by_runtime
    assert "uid=1000 gid=1001 groups=5,10" in by_runtime


def test_a_missing_mask_would_be_seen(runtime: Runtime) -> None:
    """What the comparison is worth: take one line away and it fails."""
    runtime.configure("sh", "-c", LOOK)
    explained = runtime.works("explain")
    assert "hostname boxship\n" in explained
    script = explained.replace("hostname boxship\n", "").replace("mount --bind ./dev/null", ":")
    done = subprocess.run(
        ["bash", "-c", script], input="", capture_output=True, text=True, check=True
    )
    remove_cgroups(runtime)
    by_runtime = runtime.works("run", "one")
    missing = set(by_runtime.splitlines()) - set(done.stdout.splitlines())
    assert any("host name boxship" in line for line in missing)
    assert any("/proc/keys" in line or "/proc/interrupts" in line for line in missing)
