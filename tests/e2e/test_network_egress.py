"""Where a container may connect to (`--egress`), and what is seen of networks."""

import json
from pathlib import Path

import pytest

from support.lab import IDLE, Box, Lab
from support.machines import OUTSIDE4
from support.names import Nameserver, addresses
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


def run(lab: Lab, name: str, *options: str) -> Box:
    """By our own client: Docker's has no such flag."""
    lab.boxship("run", "-d", "--name", name, *options, "busybox", *IDLE)
    return lab.box(name)


@pytest.mark.option("HostConfig.Egress")
def test_deny_by_default(lab: Lab) -> None:
    """Nothing but what is allowed, by network and port; who calls from outside gets answers."""
    box = run(lab, "box", "--egress=deny", f"--egress=allow={OUTSIDE4}/32:80", "-p", "6080:80")
    with lab.outside.serving("world", 80, 81), lab.peer.serving("peer", 80):
        assert box.ask(OUTSIDE4, 80).startswith("world ")
        assert not box.reaches(OUTSIDE4, 81)
        assert not box.reaches(lab.peer.address, 80)
        with box.serving("box", 80):
            assert lab.peer.ask(lab.machine.address, 6080).startswith("box ")


def test_allow_by_default(lab: Lab) -> None:
    box = run(lab, "box", "--egress=allow", f"--egress=deny={OUTSIDE4}/32")
    with lab.outside.serving("world", 80), lab.peer.serving("peer", 80):
        assert not box.reaches(OUTSIDE4, 80)
        assert box.ask(lab.peer.address, 80).startswith("peer ")


def test_by_name(lab: Lab) -> None:
    """What the container's resolver has told it the name for, and nothing else."""
    names = {"good.example": OUTSIDE4, "bad.example": lab.peer.address}
    with (
        Nameserver(lab.outside, names),
        lab.outside.serving("world", 80),
        lab.peer.serving("peer", 80),
    ):
        lab.network("shop")
        box = run(
            lab, "box", "--network=shop", f"--dns={OUTSIDE4}", "--egress=allow=good.example:80"
        )
        assert not box.reaches(OUTSIDE4, 80), "nobody has asked for the name yet"
        assert addresses(box, "good.example") == [OUTSIDE4]
        assert box.ask(OUTSIDE4, 80).startswith("world ")
        assert addresses(box, "bad.example") == [lab.peer.address]
        assert not box.reaches(lab.peer.address, 80)


def test_others_are_not_concerned(lab: Lab) -> None:
    run(lab, "box", "--egress=deny")
    free = lab.run("free")
    with lab.outside.serving("world", 80):
        assert free.ask(OUTSIDE4, 80).startswith("world ")


def test_the_audit_log(lab: Lab) -> None:
    box = run(lab, "box", "--egress=deny", f"--egress=allow={OUTSIDE4}/32:80")
    log = Path(lab.engine.data, "network/egress.log")
    with lab.outside.serving("world", 80):
        assert box.ask(OUTSIDE4, 80)
        assert not box.reaches(OUTSIDE4, 81)

    def verdicts() -> set[tuple[str, str, int]]:
        lines = log.read_text().splitlines() if log.exists() else []
        found = [json.loads(line) for line in lines]
        return {(one["name"], one["verdict"], one["port"]) for one in found}

    eventually(lambda: {("box", "allow", 80), ("box", "deny", 81)} <= verdicts(), "both lines")


def test_rules_of_a_running_container_change(lab: Lab) -> None:
    box = run(lab, "box", "--egress=deny")
    with lab.outside.serving("world", 80):
        assert not box.reaches(OUTSIDE4, 80)
        lab.boxship("update", f"--egress=allow={OUTSIDE4}/32", "box")
        assert box.ask(OUTSIDE4, 80).startswith("world ")


def test_rules_hold_after_a_kill(own_lab: Lab) -> None:
    box = run(own_lab, "box", f"--egress=allow={OUTSIDE4}/32:80")
    own_lab.engine.kill()
    with own_lab.outside.serving("world", 80, 81):
        assert box.ask(OUTSIDE4, 80).startswith("world ")
        assert not box.reaches(OUTSIDE4, 81), "while it is dead"
        own_lab.engine.start()
        assert box.ask(OUTSIDE4, 80).startswith("world ")
        assert not box.reaches(OUTSIDE4, 81)


def test_nonsense_is_refused(lab: Lab) -> None:
    for words in ("perhaps", "allow=10.0.0.0/99", "deny=good.example", "allow=1.2.3.4:99999"):
        done = lab.boxship.run("create", f"--egress={words}", "busybox", "true")
        assert done.code != 0, words
        assert words.partition("=")[2].partition(":")[0] in done.err or "egress" in done.err


def test_the_map(lab: Lab) -> None:
    """Networks, containers, addresses, ports and rules as text."""
    lab.network("shop")
    web = lab.run("web", "--network=shop", "-p", "6080:80")
    lab.network("vault", "--internal")
    run(lab, "base", "--network=vault", "--egress=deny")
    drawn = lab.boxship("network", "map")
    for word in ("shop", "web", web.address(), "6080", "vault", "base", "internal", "egress"):
        assert word in drawn, drawn
