"""Networks on the host itself, beside udev, networkd and cgroup v2: in the machine of
`scripts/test-vm` alone, as no test is to touch the network of a host that somebody needs.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.engine import Engine
from support.places import Place
from support.waiting import eventually

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(
        os.uname().nodename != "boxship-vm", reason="only in a machine to throw away"
    ),
]

HERE = Place("/proc/self/ns/net")


@pytest.fixture
def engine() -> Iterator[Engine]:
    subprocess.run(["systemctl", "start", "systemd-networkd"], check=True)
    with Engine(
        "--exec-opt=native.cgroupdriver=systemd", "--cgroup-parent=", "--bridge=none"
    ) as made:
        made.load("busybox")
        yield made
        made.docker.run("rm", "--force", "web")
        made.docker.run("network", "rm", "shop")
    for kind, name in set(_tables()):
        HERE.run("nft", "delete", "table", kind, name)


def _tables() -> Iterator[tuple[str, str]]:
    for row in json.loads(HERE.run("nft", "-json", "list", "tables"))["nftables"]:
        if "table" in row and row["table"]["name"].startswith("boxship"):
            yield row["table"]["family"], row["table"]["name"]


def test_a_port_and_a_name_outlive_a_killed_daemon(engine: Engine) -> None:
    network = engine.docker("network", "create", "--subnet=10.77.0.0/24", "shop")
    engine.docker(
        "run", "-d", "--name=web", "--network=shop", "-p=8080:80", "busybox", "sleep", "1000"
    )
    web = Place(f"/proc/{engine.docker('inspect', '-f', '{{.State.Pid}}', 'web')}/ns/net")
    bridge = f"br-{network[:12]}"
    before = Path(f"/sys/class/net/{bridge}/address").read_text()
    with web.serving("web", 80):
        assert HERE.ask("127.0.0.1", 8080).startswith("web ")
        engine.kill()
        assert HERE.ask("127.0.0.1", 8080).startswith("web ")
        engine.start()
        looked = engine.docker("run", "--rm", "--network=shop", "busybox", "nslookup", "web")
        assert "10.77.0.2" in looked
        assert HERE.ask("10.77.0.2", 80).startswith("web ")
    HERE.run("udevadm", "settle")
    assert Path(f"/sys/class/net/{bridge}/address").read_text() == before
    rows = map(str.split, HERE.run("networkctl", "--no-legend", "list").splitlines())
    states = {name: setup for _, name, _, _, setup in rows}
    assert states[bridge] == "unmanaged"
    assert {state for name, state in states.items() if name.startswith("veth")} == {"unmanaged"}
    engine.docker("rm", "--force", "web")
    engine.docker("network", "rm", "shop")
    eventually(lambda: bridge not in os.listdir("/sys/class/net"), "the end of the bridge")
