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


@pytest.fixture(autouse=True)
def whole_machine() -> Iterator[None]:
    """The default directories, for one test alone; afterwards nothing is left of them."""
    os.makedirs("/etc/boxship")
    Path("/etc/boxship/daemon.json").write_text('{"bridge": "none"}')
    yield
    if os.path.exists("/var/lib/boxship"):  # a client would start a daemon that makes it again
        end = "boxship rm -f $(boxship ps -aq); boxship system uninstall --purge"
        subprocess.run(["sh", "-c", end], capture_output=True, check=False)


def service(name: str) -> str:
    return sh(f"systemctl show --value --property {name} boxship.service")


@pytest.mark.timeout(300)
def test_the_page() -> None:
    """As it stands there; an image is all that is brought along."""
    for command in documents.commands(PAGE, documents.MACHINE):
        if "busybox" in command.text:
            sh(f"boxship load -i {ensure('busybox')}")
        printed = sh(command.text, code=command.exit_code).splitlines()
        assert documents.fits(command.output, printed), f"{command.text}: {printed}"
    assert not os.path.exists("/usr/local/lib/systemd/system/boxship.service")
    assert os.path.exists("/var/lib/boxship/boxship.db")


@pytest.mark.timeout(300)
def test_an_installation_s_life() -> None:
    """One after the other, because each step costs seconds on a machine that is translated."""
    the_first_client_starts_the_daemon()
    an_upgrade_keeps_containers()
    stop_does_what_the_configuration_says_and_restart_does_not()
    what_is_broken_is_put_back()
    purge_waits_for_containers_and_then_leaves_nothing()


def the_first_client_starts_the_daemon() -> None:
    sh("boxship system install")
    assert sh("systemctl is-active boxship.socket") == "active"
    assert sh("systemctl is-active boxship.service", code=3) == "inactive"
    assert sh("stat -c '%a %U %G' /run/boxship/boxship.sock") == "660 root boxship"
    sh(f"boxship load -i {ensure('busybox')}")
    assert sh("systemctl is-active boxship.service") == "active"
    assert sh("systemctl is-enabled boxship.socket boxship.service").split() == ["enabled"] * 2
    complaints = sh("systemd-analyze verify --man=no boxship.service boxship.socket 2>&1 || true")
    assert "boxship" not in complaints


def an_upgrade_keeps_containers() -> None:
    sh("boxship run -d --name one --stop-signal KILL busybox sleep 1000")
    before = json.loads(sh("boxship inspect one"))
    daemon = service("MainPID")
    CODE.touch()  # another build, as far as one can see from outside
    # and another socket beside the first: both units are started again
    assert "replaced the daemon; containers run on" in sh("boxship system install --docker-alias")
    assert service("MainPID") != daemon
    docker = "DOCKER_HOST=unix:///run/docker.sock /usr/local/bin/docker"
    after = json.loads(sh(f"{docker} inspect one"))
    assert after[0]["State"] == before[0]["State"]
    assert sh(f"{docker} exec one echo by the shim of before") == "by the shim of before"


def stop_does_what_the_configuration_says_and_restart_does_not() -> None:
    pid = sh("boxship inspect -f '{{.State.Pid}}' one")
    sh("systemctl restart boxship.service")
    assert sh("boxship inspect -f '{{.State.Pid}}' one") == pid
    sh("systemctl stop boxship.service boxship.socket")
    assert not os.path.exists(f"/proc/{pid}")
    sh("systemctl start boxship.socket")
    assert sh("boxship inspect -f '{{.State.Status}}' one") == "exited"


def what_is_broken_is_put_back() -> None:
    unit = "/usr/local/lib/systemd/system/boxship.service"
    os.unlink(unit)
    assert f"repaired: installation {unit}: is missing" in sh("boxship system check")
    assert os.path.exists(unit)


def purge_waits_for_containers_and_then_leaves_nothing() -> None:
    sh("boxship start one")
    sh("boxship system uninstall --purge", code=1)
    sh("boxship rm -f one")
    sh("boxship system uninstall --purge")
    assert not os.path.exists("/var/lib/boxship")
    assert not os.path.exists("/etc/boxship")
    sh("getent group boxship", code=2)
    assert sh("systemctl list-unit-files 'boxship.*' --no-legend || true") == ""
