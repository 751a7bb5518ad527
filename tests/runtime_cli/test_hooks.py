"""Hooks: when, where, with what, and what becomes of a container whose hook fails."""

import json
import time
from typing import Any

import pytest

from support.waiting import eventually

pytestmark = pytest.mark.privileged

EARLY = ("prestart", "createRuntime", "createContainer")
KINDS = (*EARLY, "startContainer", "poststart", "poststop")


def _noting(kind: str, place: str) -> dict[str, Any]:
    """A hook that appends its kind, state, namespace and environment to a file."""
    script = (
        f'echo "{kind} $(readlink /proc/self/ns/mnt) $X $1 $(cat)" >> {place}'
    )  # fmt: skip
    return {"path": "/bin/sh", "args": ["sh", "-c", script, "zero", "one"],
            "env": ["X=y", "PATH=/bin:/usr/bin"]}  # fmt: skip


@pytest.mark.spec(
    "hooks.prestart",
    "hooks.createRuntime",
    "hooks.createContainer",
    "hooks.startContainer",
    "hooks.poststart",
    "hooks.poststop",
)
def test_every_kind_runs_in_its_order_and_place(runtime) -> None:
    place = runtime.bundle / "notes"
    place.touch()

    def change(config: dict[str, Any]) -> None:
        config["hooks"] = {kind: [_noting(kind, str(place))] for kind in KINDS}
        config["hooks"]["startContainer"] = [_noting("startContainer", "/notes")]
        config["mounts"].append(
            {"destination": "/notes", "source": "notes", "options": ["bind"], "type": "bind"}
        )

    runtime.configure("sleep", "1000", change=change)
    runtime.create("one")
    pid = runtime.state("one")["pid"]
    runtime.works("start", "one")
    runtime.works("delete", "--force", "one")
    notes = [line.split(" ", 4) for line in place.read_text().splitlines()]
    assert [note[0] for note in notes] == list(KINDS)
    assert all(note[2:4] == ["y", "one"] for note in notes)
    states = {note[0]: json.loads(note[4]) for note in notes}
    assert [states[kind]["status"] for kind in KINDS] == [
        "creating", "creating", "creating", "created", "running", "stopped",
    ]  # fmt: skip
    assert states["prestart"]["pid"] == states["poststart"]["pid"] == pid
    assert states["createRuntime"]["bundle"] == str(runtime.bundle)
    namespaces = {note[0]: note[1] for note in notes}
    host = namespaces["prestart"]
    assert host == namespaces["createRuntime"] == namespaces["poststart"] == namespaces["poststop"]
    assert host != namespaces["createContainer"] == namespaces["startContainer"]


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_failing_hook_is_named_and_the_container_removed(runtime, kind: str) -> None:
    def change(config: dict[str, Any]) -> None:
        failing = {"path": "/bin/sh", "args": ["sh", "-c", "echo too bad >&2; exit 3"]}
        config["hooks"] = {kind: [{"path": "/bin/true"}, failing]}

    runtime.configure("true", change=change)
    done = runtime("create", "one")
    assert done.returncode == 1
    assert f"error running {kind} hook #1: /bin/sh: exit status 3: too bad" in done.stderr
    assert runtime.leftovers() == []


@pytest.mark.parametrize("kind", ["startContainer", "poststart"])
def test_a_hook_that_fails_at_start_ends_the_container(runtime, kind: str) -> None:
    def change(config: dict[str, Any]) -> None:
        config["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}]}

    runtime.configure("sleep", "1000", change=change)
    runtime.create("one")
    done = runtime("start", "one")
    assert done.returncode == 1
    assert f"error running {kind} hook #0: /bin/sh: exit status 3" in done.stderr
    assert runtime.leftovers() == []


def test_a_hanging_hook_is_ended_with_what_it_started(runtime) -> None:
    def change(config: dict[str, Any]) -> None:
        hanging = {"path": "/bin/sh", "args": ["sh", "-c", "sleep 1000; true"], "timeout": 1}
        config["hooks"] = {"createRuntime": [hanging]}

    runtime.configure("true", change=change)
    before = time.monotonic()
    done = runtime("create", "one")
    assert time.monotonic() - before < 20
    assert "error running createRuntime hook #0: /bin/sh did not end within 1 s" in done.stderr
    assert runtime.leftovers() == []


def test_a_failing_poststop_hook_is_only_a_warning(runtime) -> None:
    def change(config: dict[str, Any]) -> None:
        config["hooks"] = {"poststop": [{"path": "/bin/false"}, _noting("second", notes)]}

    notes = str(runtime.place / "notes")
    runtime.configure("true", change=change)
    runtime.create("one")
    runtime.works("start", "one")
    eventually(lambda: runtime.state("one")["status"] == "stopped", "the end")
    done = runtime("delete", "one")
    assert done.returncode == 0
    assert "warning: error running poststop hook #0: /bin/false: exit status 1" in done.stderr
    assert (runtime.place / "notes").read_text().startswith("second")
