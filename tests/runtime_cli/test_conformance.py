"""What runtime.md, config.md and config-linux.md of the runtime specification say MUST be so.

Each test quotes by its section what it stands for; those are versions 1.0 to 1.2.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from support.waiting import eventually

pytestmark = pytest.mark.privileged

ORDER = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
BEFORE_START = ORDER[:3]


def _config(runtime) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((runtime.bundle / "config.json").read_text())
    return found


def _noting(runtime, *kinds: str, code: int = 0, command: str = "cat") -> dict[str, Any]:
    """Hooks that append a line with their kind, and what ``command`` says, to a file."""
    notes = runtime.bundle / "notes"
    notes.touch()

    def hook(kind: str) -> dict[str, Any]:
        # The container's own hook sees the file where it is mounted.
        place = "/notes" if kind == "startContainer" else notes
        script = f'echo "{kind} $({command})" >> {place}; exit {code}'
        return {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"]}

    return {kind: [hook(kind)] for kind in kinds}


def _with_hooks(runtime, hooks: dict[str, Any], *args: str) -> None:
    def change(config: dict[str, Any]) -> None:
        config["hooks"] = hooks
        config["annotations"] = {"org.example.key": "value"}
        config["mounts"].append(
            {"destination": "/notes", "source": "notes", "type": "bind", "options": ["bind"]}
        )

    (runtime.bundle / "notes").touch()
    runtime.configure(*(args or ("sleep", "1000")), change=change)


def _notes(runtime) -> list[tuple[str, str]]:
    lines = (runtime.bundle / "notes").read_text().splitlines()
    return [(kind, rest) for kind, _, rest in (line.partition(" ") for line in lines)]


# runtime.md, State


def test_the_state_has_what_it_must_and_of_the_right_type(runtime) -> None:
    runtime.configure("sleep", "1000", change=lambda c: c.update(annotations={"a.b": "c"}))
    runtime.create("one")
    state = runtime.state("one")
    assert re.fullmatch(r"\d+\.\d+\.\d+(-.*)?", state["ociVersion"])
    assert state["id"] == "one"
    assert state["status"] == "created"
    assert isinstance(state["pid"], int)
    assert Path(state["bundle"]).is_absolute()
    assert state["annotations"] == {"a.b": "c"}


def test_the_pid_is_that_of_the_process_as_the_runtime_sees_it(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    runtime.works("start", "one")
    pid = runtime.state("one")["pid"]
    eventually(lambda: "sleep" in Path(f"/proc/{pid}/cmdline").read_text(), "the process")


def test_annotations_may_be_left_out(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    assert runtime.state("one").get("annotations", {}) == {}


def test_the_status_follows_the_lifecycle(runtime) -> None:
    runtime.configure("cat", "/tmp/wait", change=lambda c: c["root"].update(readonly=False))
    os.mkfifo(runtime.rootfs / "tmp/wait")
    runtime.create("one")
    assert runtime.state("one")["status"] == "created"
    runtime.works("start", "one")
    assert runtime.state("one")["status"] == "running"
    with open(runtime.rootfs / "tmp/wait", "wb"):
        pass
    eventually(lambda: runtime.state("one")["status"] == "stopped", "the end")


# runtime.md, Lifecycle and Hooks


def test_hooks_of_every_kind_run_in_their_order(runtime) -> None:
    _with_hooks(runtime, _noting(runtime, *ORDER))
    runtime.create("one")
    assert [kind for kind, _ in _notes(runtime)] == list(BEFORE_START)
    runtime.works("start", "one")
    assert [kind for kind, _ in _notes(runtime)] == list(ORDER[:5])
    runtime.works("kill", "one", "KILL")
    eventually(lambda: runtime.state("one")["status"] == "stopped", "the end")
    assert [kind for kind, _ in _notes(runtime)] == list(ORDER[:5])
    runtime.works("delete", "one")
    assert [kind for kind, _ in _notes(runtime)] == list(ORDER)


def test_hooks_of_one_kind_run_in_the_order_of_the_list(runtime) -> None:
    hooks = _noting(runtime, *ORDER)
    for kind, (hook,) in list(hooks.items()):
        later = json.loads(json.dumps(hook).replace(f'echo \\"{kind}', f'echo \\"{kind}-later'))
        hooks[kind] = [hook, later]
    _with_hooks(runtime, hooks)
    runtime.create("one")
    runtime.works("start", "one")
    runtime.works("delete", "--force", "one")
    wanted = [name for kind in ORDER for name in (kind, f"{kind}-later")]
    assert [kind for kind, _ in _notes(runtime)] == wanted


def test_every_hook_is_told_the_state_on_its_stdin(runtime) -> None:
    _with_hooks(runtime, _noting(runtime, *ORDER))
    runtime.create("one")
    created = runtime.state("one")
    runtime.works("start", "one")
    runtime.works("delete", "--force", "one")
    told = {kind: json.loads(text) for kind, text in _notes(runtime)}
    assert list(told) == list(ORDER)
    for kind, state in told.items():
        for key in ("ociVersion", "id", "bundle", "annotations"):
            assert state[key] == created[key], (kind, key)
        assert state["status"] in ("creating", "created", "running", "stopped")
        # As it is seen where the hook runs.
        inside = kind in ("createContainer", "startContainer")
        if kind != "poststop":
            assert state["pid"] == (1 if inside else created["pid"]), kind
    assert told["poststop"]["status"] == "stopped"
    assert told["startContainer"]["status"] == "created"


def test_hooks_run_in_the_namespaces_they_are_meant_for(runtime) -> None:
    _with_hooks(runtime, _noting(runtime, *ORDER, command="readlink /proc/self/ns/mnt"))
    runtime.create("one")
    pid = runtime.state("one")["pid"]
    inside = os.readlink(f"/proc/{pid}/ns/mnt")
    runtime.works("start", "one")
    runtime.works("delete", "--force", "one")
    own = os.readlink("/proc/self/ns/mnt")
    assert dict(_notes(runtime)) == {
        "prestart": own, "createRuntime": own, "createContainer": inside,
        "startContainer": inside, "poststart": own, "poststop": own,
    }  # fmt: skip


def test_early_hooks_run_before_the_root_is_pivoted_to(runtime) -> None:
    """createContainer's path is the runtime's, startContainer's the container's."""
    look = "[ -d /etc/apt ] && echo host || echo container"
    _with_hooks(runtime, _noting(runtime, "createContainer", "startContainer", command=look))
    runtime.create("one")
    runtime.works("start", "one")
    assert _notes(runtime) == [("createContainer", "host"), ("startContainer", "container")]


def test_the_command_has_not_begun_when_startcontainer_hooks_run(runtime) -> None:
    _with_hooks(
        runtime, _noting(runtime, "startContainer"), "sh", "-c", "cat /notes > /tmp/seen; sleep 99"
    )
    config = _config(runtime)
    config["root"]["readonly"] = False
    (runtime.bundle / "config.json").write_text(json.dumps(config))
    runtime.create("one")
    runtime.works("start", "one")
    seen = runtime.rootfs / "tmp/seen"
    eventually(lambda: seen.exists() and seen.read_text(), "the command's look")
    assert seen.read_text().startswith("startContainer {")


@pytest.mark.parametrize("kind", BEFORE_START)
def test_a_failure_before_start_is_an_error_and_stops_the_container(runtime, kind: str) -> None:
    hooks = _noting(runtime, kind, code=1) | _noting(runtime, "poststop")
    _with_hooks(runtime, hooks)
    assert runtime("create", "one").returncode == 1
    assert runtime("state", "one").returncode == 1
    assert runtime.leftovers() == []


def test_a_failing_poststop_hook_is_a_warning_and_the_others_run(runtime) -> None:
    hooks = _noting(runtime, "poststop", code=1)
    hooks["poststop"] *= 3
    _with_hooks(runtime, hooks)
    runtime.create("one")
    done = runtime("delete", "--force", "one")
    assert done.returncode == 0
    assert done.stderr.count("warning") == 3
    assert len(_notes(runtime)) == 3


def test_a_hooks_environment_is_what_it_is_given(runtime) -> None:
    _with_hooks(runtime, _noting(runtime, *ORDER, command="env | grep -c -v -e PATH -e PWD -e _="))
    runtime.create("one")
    runtime.works("start", "one")
    runtime.works("delete", "--force", "one")
    seen = dict(_notes(runtime))
    assert list(seen) == list(ORDER)
    assert {int(count) for count in seen.values()} <= {0, 1}  # SHLVL, as some shells have it


# runtime.md, Operations


@pytest.mark.parametrize("verb", ["state", "start", "kill", "delete"])
def test_an_operation_without_an_id_or_on_none_is_an_error(runtime, verb: str) -> None:
    for words in ([verb], [verb, "nobody"]):
        done = runtime(*words)
        assert done.returncode != 0
        assert done.stderr


def test_create_without_an_id_or_a_bundle_is_an_error(runtime) -> None:
    assert runtime("create").returncode != 0
    assert runtime("create", "--bundle", str(runtime.place / "none"), "one").returncode != 0
    assert runtime.leftovers() == []


def test_an_id_must_be_unique(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    before = runtime.state("one")
    assert runtime("create", "one").returncode != 0
    assert runtime.state("one") == before


def test_create_applies_everything_but_process(runtime) -> None:
    def change(config: dict[str, Any]) -> None:
        config["hostname"] = "shop"
        config["linux"]["sysctl"] = {"kernel.sem": "1 2 3 4"}

    runtime.configure("sleep", "1000", change=change)
    runtime.create("one")
    assert runtime.works("exec", "one", "cat", "/proc/sys/kernel/hostname") == "shop\n"
    assert runtime.works("exec", "one", "cat", "/proc/sys/kernel/sem").split() == list("1234")
    pid = runtime.state("one")["pid"]
    assert "sleep" not in Path(f"/proc/{pid}/comm").read_text()


def test_changes_of_the_configuration_after_create_have_no_effect(runtime) -> None:
    runtime.configure("sh", "-c", "echo old > /tmp/which; exec sleep 1000",
                      change=lambda c: c["root"].update(readonly=False))  # fmt: skip
    runtime.create("one")
    config = _config(runtime)
    config["process"]["args"] = ["sh", "-c", "echo new > /tmp/which"]
    config["hostname"] = "other"
    (runtime.bundle / "config.json").write_text(json.dumps(config))
    runtime.works("start", "one")
    which = runtime.rootfs / "tmp/which"
    eventually(lambda: which.exists() and which.read_text() == "old\n", "the old command")


def test_start_of_what_is_not_created_is_an_error_without_effect(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    runtime.works("start", "one")
    before = runtime.state("one")
    assert runtime("start", "one").returncode != 0
    assert runtime.state("one") == before
    runtime.works("kill", "one", "KILL")
    eventually(lambda: runtime.state("one")["status"] == "stopped", "the end")
    assert runtime("start", "one").returncode != 0
    assert runtime.state("one")["status"] == "stopped"


def test_kill_reaches_what_is_created_and_what_runs_but_not_what_has_stopped(runtime) -> None:
    script = "trap 'exit 3' USR1; echo > /tmp/ready; while :; do sleep 0.05; done"
    runtime.configure("sh", "-c", script, change=lambda c: c["root"].update(readonly=False))
    runtime.create("one")
    runtime.works("kill", "one", "KILL")
    eventually(lambda: runtime.state("one")["status"] == "stopped", "the end")
    assert runtime("kill", "one", "KILL").returncode != 0
    runtime.works("delete", "one")
    runtime.create("one")
    runtime.works("start", "one")
    eventually((runtime.rootfs / "tmp/ready").exists, "the trap")
    runtime.works("kill", "one", "USR1")
    eventually(lambda: runtime.state("one")["status"] == "stopped", "the end")


def test_delete_of_what_has_not_stopped_is_an_error_without_effect(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    runtime.works("start", "one")
    assert runtime("delete", "one").returncode != 0
    assert runtime.state("one")["status"] == "running"


def test_delete_removes_what_create_made_and_nothing_else(runtime) -> None:
    runtime.configure("true")
    kept = runtime.rootfs / "etc/kept"
    kept.write_text("x")
    before = sorted(path.relative_to(runtime.bundle) for path in runtime.bundle.rglob("*"))
    runtime.create("one")
    runtime.works("start", "one")
    eventually(lambda: runtime.state("one")["status"] == "stopped", "the end")
    runtime.works("delete", "one")
    assert runtime.leftovers() == []
    after = sorted(path.relative_to(runtime.bundle) for path in runtime.bundle.rglob("*"))
    # A place for each of the mounts may have been made.
    assert set(before) <= set(after)
    runtime.configure("true")
    runtime.works("run", "one")


# config.md


def test_an_unsupported_version_is_an_error(runtime) -> None:
    runtime.configure("true", change=lambda c: c.update(ociVersion="2.0.0"))
    done = runtime("create", "one")
    assert done.returncode == 1
    assert "ociVersion" in done.stderr


def test_unknown_properties_are_ignored(runtime) -> None:
    def change(config: dict[str, Any]) -> None:
        config["org.example.unknown"] = {"deep": [1, 2]}
        config["process"]["unknown"] = True
        config["linux"]["unknown"] = "x"

    runtime.configure("true", change=change)
    runtime.works("run", "one")


def test_unknown_annotations_are_no_error(runtime) -> None:
    runtime.configure("true", change=lambda c: c.update(annotations={"a": "", "b.c": "d"}))
    runtime.works("run", "one")


def test_mounts_are_made_in_the_order_of_the_list(runtime) -> None:
    def change(config: dict[str, Any]) -> None:
        config["mounts"] += [
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
            {"destination": "/tmp/a", "type": "tmpfs", "source": "tmpfs"},
            {"destination": "/tmp/a/b", "type": "tmpfs", "source": "tmpfs"},
        ]

    runtime.configure("cat", "/proc/mounts", change=change)
    made = [line.split()[1] for line in runtime.works("run", "one").splitlines()]
    assert [place for place in made if place.startswith("/tmp")] == ["/tmp", "/tmp/a", "/tmp/a/b"]


def test_the_root_may_be_read_only(runtime) -> None:
    for readonly, status in ((True, 1), (False, 0)):
        runtime.configure(
            "touch", "/here", change=lambda c, value=readonly: c["root"].update(readonly=value)
        )
        assert runtime("run", "one").returncode == status


# config-linux.md


def test_default_file_systems_and_devices_are_there(runtime) -> None:
    runtime.configure(
        "sh", "-c",
        "cut -d' ' -f2,3 /proc/mounts; cd /dev; for f in *; do [ -c $f ] && echo $f; done; "
        "for l in fd stdin stdout stderr ptmx; do readlink $l; done",
    )  # fmt: skip
    (runtime.rootfs / "bin/cut").symlink_to("busybox")
    said = runtime.works("run", "one").splitlines()
    for line in ("/proc proc", "/sys sysfs", "/dev/pts devpts", "/dev/shm tmpfs"):
        assert line in said
    for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx"):
        assert name in said or name == "ptmx"
    assert said[-5:] == ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2",
                         "pts/ptmx"]  # fmt: skip


def test_a_namespace_with_a_path_is_joined_and_one_left_out_is_the_runtimes(runtime) -> None:
    def change(config: dict[str, Any]) -> None:
        config["linux"]["namespaces"] = [
            {"type": "pid"}, {"type": "mount"},
            {"type": "uts", "path": f"/proc/{os.getpid()}/ns/uts"},
        ]  # fmt: skip
        del config["hostname"]

    runtime.configure("sh", "-c", "readlink /proc/self/ns/uts; readlink /proc/self/ns/net; "
                      "readlink /proc/self/ns/pid", change=change)  # fmt: skip
    uts, net, pid = runtime.works("run", "one").split()
    assert uts == os.readlink("/proc/self/ns/uts")
    assert net == os.readlink("/proc/self/ns/net")
    assert pid != os.readlink("/proc/self/ns/pid")


def test_a_namespace_twice_or_at_a_relative_path_or_none_is_an_error(runtime) -> None:
    for wrong in (
        [{"type": "mount"}, {"type": "pid"}, {"type": "pid"}],
        [{"type": "mount"}, {"type": "uts", "path": "proc/1/ns/uts"}],
        [{"type": "mount"}, {"type": "uts", "path": "/proc/self/ns/net"}],
        [{"type": "mount"}, {"type": "nosuch"}],
    ):
        runtime.configure("true", change=lambda c, value=wrong: c["linux"].update(namespaces=value))
        done = runtime("create", "one")
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), wrong
        assert runtime.leftovers() == []


def test_a_cgroup_is_where_cgroupspath_says_and_the_limits_in_it(runtime) -> None:
    def change(config: dict[str, Any]) -> None:
        config["linux"]["resources"] = {"pids": {"limit": 33}}

    runtime.configure("sleep", "1000", change=change)
    runtime.create("one")
    root = Path("/sys/fs/cgroup")
    (path,) = (*root.glob(f"*/{runtime.cgroup}/pids.max"), *root.glob(f"{runtime.cgroup}/pids.max"))
    assert path.read_text() == "33\n"
    pids = (path.parent / "cgroup.procs").read_text().split()
    assert pids == [str(runtime.state("one")["pid"])]
