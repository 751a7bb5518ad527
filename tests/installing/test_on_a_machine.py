"""Installed on a whole machine that systemd runs: what the page about it says, and an upgrade.

It changes the machine, therefore only the one of `scripts/test-vm` will do.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import documents
from support.images.catalog import ensure

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(
        not os.path.exists("/dev/virtio-ports/result"),
        reason="changes the machine: scripts/test-vm has one for it",
    ),
]

PAGE = documents.ROOT / "docs/install.md"
CODE = documents.ROOT / "src/boxship/__init__.py"


def sh(command: str, *, code: int = 0) -> str:
    """Run it in a shell that knows no other daemon; return what it prints."""
    known = ("DOCKER_", "BOXSHIP_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(known)}
    done = subprocess.run(
        ["bash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, env=environment, cwd="/",
    )  # fmt: skip
    assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def whole_machine() -> Iterator[None]:
    """The default directories, for this module alone; afterwards nothing is left of them."""
    yield
    subprocess.run(
        ["sh", "-c", "boxship rm -f $(boxship ps -aq)"], capture_output=True, check=False
    )
    subprocess.run(["boxship", "system", "uninstall", "--purge"], capture_output=True, check=False)


@pytest.fixture
def installed() -> str:
    sh("boxship system install")
    sh(f"boxship load -i {ensure('busybox')}")
    return "installed"


def service(name: str) -> str:
    return sh(f"systemctl show --value --property {name} boxship.service")


def test_the_page() -> None:
    """As it stands there; an image is all that is brought along."""
    for command in documents.commands(PAGE, documents.MACHINE):
        if "busybox" in command.text:
            sh(f"boxship load -i {ensure('busybox')}")
        printed = sh(command.text, code=command.exit_code).splitlines()
        assert documents.fits(command.output, printed), f"{command.text}: {printed}"
    assert not Path("/usr/local/bin/boxshipd").is_symlink()
    assert Path("/var/lib/boxship/boxship.db").exists()


def test_the_first_client_starts_the_daemon() -> None:
    sh("boxship system install --no-start")
    assert sh("systemctl is-active boxship.socket", code=3) == "inactive"
    sh("boxship system install")
    assert sh("systemctl is-active boxship.service", code=3) == "inactive"
    assert sh("curl -s --unix-socket /run/boxship/boxship.sock http://x/_ping || true") in (
        "",
        "OK",
    )
    assert sh("boxship version --format '{{.Server.Os}}'") == "linux"
    assert sh("systemctl is-active boxship.service") == "active"
    assert sh("stat -c '%a %U %G' /run/boxship/boxship.sock") == "660 root boxship"
    assert sh("systemctl is-enabled boxship.socket boxship.service").split() == ["enabled"] * 2
    assert (
        sh("systemd-analyze verify boxship.service boxship.socket 2>&1 | grep -i boxship || true")
        == ""
    )


def test_an_upgrade_keeps_containers(installed: str) -> None:
    for name in ("a", "b", "c"):
        sh(f"boxship run -d --name {name} --net none busybox sh -c 'read line; exit 7' </dev/null")
        sh(f"boxship run -d --name {name}s --net none busybox sleep 1000")
    before = json.loads(sh("boxship inspect as bs cs"))
    daemon = service("MainPID")
    CODE.touch()  # another build, as far as one can see from outside
    told = sh("boxship system install")
    assert "replaced the daemon; containers run on" in told
    assert service("MainPID") != daemon
    after = json.loads(sh("boxship inspect as bs cs"))
    assert [one["State"] for one in after] == [one["State"] for one in before]
    assert sh("boxship exec as echo through the shim of before") == "through the shim of before"
    sh("boxship rm -f $(boxship ps -aq)")


def test_stop_does_what_the_configuration_says_and_restart_does_not(installed: str) -> None:
    sh("boxship run -d --name web --net none --stop-signal KILL busybox sleep 1000")
    pid = sh("boxship inspect -f '{{.State.Pid}}' web")
    sh("systemctl restart boxship.service")
    assert sh("boxship inspect -f '{{.State.Pid}}' web") == pid
    sh("systemctl stop boxship.service boxship.socket")
    assert not os.path.exists(f"/proc/{pid}")
    sh("systemctl start boxship.socket")
    assert sh("boxship inspect -f '{{.State.Status}}' web") == "exited"
    sh("boxship rm web")


def test_an_alias_is_docker_in_every_respect(installed: str) -> None:
    sh("boxship system install --docker-alias")
    assert os.readlink("/usr/local/bin/docker").endswith("/boxship")
    assert (
        sh("DOCKER_HOST=unix:///run/docker.sock /usr/local/bin/docker info -f '{{.OSType}}'")
        == "linux"
    )
    sh("boxship system install --docker-alias=false")
    assert not os.path.lexists("/usr/local/bin/docker")
    assert sh("systemctl show --value --property Listen boxship.socket").count("docker.sock") == 0


def test_what_is_broken_is_put_back(installed: str) -> None:
    os.unlink("/usr/local/lib/systemd/system/boxship.service")
    assert (
        "repairable: installation /usr/local/lib/systemd/system/boxship.service: is missing"
        in sh("boxship system check --no-repair", code=1)
    )
    assert "repaired: installation" in sh("boxship system check")
    assert Path("/usr/local/lib/systemd/system/boxship.service").exists()


def test_purge_waits_for_containers_and_then_leaves_nothing(installed: str) -> None:
    sh("boxship run -d --name web --net none busybox sleep 1000")
    sh("boxship system uninstall --purge", code=1)
    sh("boxship rm -f web")
    sh("boxship system uninstall --purge")
    assert not os.path.exists("/var/lib/boxship")
    assert sh("getent group boxship", code=2) == ""
    assert sh("systemctl list-unit-files 'boxship.*' --no-legend", code=1) == ""
