"""What another runtime is asked for: the plan, the bundle, the command line, and reading errors."""

import json
import os
from pathlib import Path

import pytest

from boxship.base.frozen import replace
from boxship.oci.runtime import Spec
from boxship.runtime import steps
from boxship.runtime.blueprint import CgroupPlan, ForeignPlan, Plan
from boxship.runtime.foreign import container, program
from boxship.runtime.foreign.plan import plan

ROOT = steps.MountOverlay("/data", ("l/a",), "upper", "work", "/exec/root")
RUNC = ForeignPlan("/usr/sbin/runc", ("--debug",), "/exec/c/1/oci")
SPEC = {
    "ociVersion": "1.2.0",
    "process": {
        "cwd": "/srv",
        "args": ["sleep", "1"],
        "env": ["PATH=/bin"],
        "user": {"username": "someone"},
        "rlimits": [{"type": "RLIMIT_NPROC", "soft": 1, "hard": 2**64 - 1}],
    },
    "root": {"path": "rootfs", "readonly": True},
    "hostname": "box",
    "domainname": "example",
    "mounts": [
        {"destination": "/a", "type": "bind", "source": "/host/a", "options": ["rbind", "rshared"]},
        {"destination": "/b", "type": "bind", "source": "/host/b", "options": ["bind", "rslave"]},
    ],
    "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}], "sysctl": {"net.a": "1"}},
}


def planned(document: dict[str, object] = SPEC) -> Plan:
    made = plan(Spec.from_json(document), "1", CgroupPlan(), ROOT, RUNC)
    return Plan.from_json(made.to_json())  # as it travels


def test_the_root_is_ours_and_the_rest_the_runtimes() -> None:
    assert planned().setup == (
        steps.Unshare(("mnt",)),
        steps.CopyTree("/host/a", "/host/a", recursive=True),
        steps.SetPropagation("rslave"),
        ROOT,
        steps.MakeDirectory("/srv"),
    )


@pytest.mark.parametrize(
    ("namespaces", "new"),
    [([{"type": "pid"}], True), ([], False), ([{"type": "pid", "path": "/p"}], False)],
)
def test_pid_namespace(namespaces: list[object], new: bool) -> None:
    made = planned({**SPEC, "linux": {"namespaces": namespaces}})
    assert made.new_pid_namespace is new


def test_a_root_of_other_users() -> None:
    maps = [{"containerID": 0, "hostID": 100_000, "size": 65536}]
    linux = {"namespaces": [{"type": "user"}], "uidMappings": maps, "gidMappings": maps}
    made = planned({**SPEC, "linux": linux})
    triples = ((0, 100_000, 65536),)
    # No directory of ours: the host's root is nobody there.
    assert made.setup[-1] == replace(ROOT, uid_map=triples, gid_map=triples)


def test_config() -> None:
    foreign = planned().foreign
    assert foreign is not None
    config = json.loads(foreign.config)
    assert config["root"] == {"path": "/exec/root", "readonly": True}
    assert config["linux"]["sysctl"] == {"net.a": "1", "kernel.domainname": "example"}
    assert "domainname" not in config
    assert "process" not in config  # until the users have been looked up
    assert config["mounts"] == SPEC["mounts"]
    assert config["hostname"] == "box"


def test_command_line() -> None:
    assert program.command(RUNC, ("start", "1"), "/log") == (
        "/usr/sbin/runc", "--debug", "--root", "/exec/c/1/oci/state",
        "--log", "/log", "--log-format", "json", "start", "1",
    )  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> int:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "passwd").write_text("root:x:0:0::/:\nsomeone:x:10:20::/:\n")
    (etc / "group").write_text("many:x:30:someone\nmore:x:40:\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sleep").write_text("")
    (tmp_path / "bin" / "sleep").chmod(0o755)
    (tmp_path / "bin" / "text").write_text("")
    (tmp_path / "bin" / "out").symlink_to("../../../../bin/sleep")
    return os.open(tmp_path, os.O_PATH)


def document_of(root: int, **changes: object) -> dict[str, object]:
    try:
        return container._process(replace(planned().process, **changes), root)
    finally:
        os.close(root)


def test_users_are_looked_up_in_the_root(root: int) -> None:
    made = document_of(root, group_names=("more",), groups=(50,))
    assert made["user"] == {"uid": 10, "gid": 20, "additionalGids": [20, 30, 40, 50]}


def test_limits_are_those_of_the_plan(root: int) -> None:
    unlimited = 2**64 - 1
    assert document_of(root)["rlimits"] == [{"type": "RLIMIT_NPROC", "soft": 1, "hard": unlimited}]


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("sleep", ["/init", "/bin/sleep", "sleep"]),
        ("/bin/sleep", ["/init", "/bin/sleep", "/bin/sleep"]),
        ("out", ["/init", "/bin/out", "out"]),
        # What our init could not execute, the runtime shall refuse.
        ("text", ["text"]),
        ("nosuch", ["nosuch"]),
        ("/bin", ["/bin"]),
    ],
)
def test_init_is_given_the_commands_path(root: int, command: str, found: list[str]) -> None:
    document = json.dumps({"args": [command]})
    plain = document_of(root, init="/init", args=(command,), document=document)
    assert plain["args"] == found


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('exec: "foo": executable file not found in $PATH', 127),
        ('exec: "/x/foo": stat /x/foo: no such file or directory', 127),
        ("executable file `foo` not found in $PATH: No such file or directory", 127),
        ('exec: "/foo": permission denied', 126),
        ("open executable: Permission denied", 126),
        ('exec: "/foo": is a directory', 126),
        ("mount /a: not a directory", 127),
        ("open /sys/fs/cgroup/x: no such file or directory", 125),
        ("anything else", 125),
    ],
)
def test_exit_code(message: str, code: int) -> None:
    assert program.exit_code(message, "foo") == code


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ('{"level":"error","msg":"one"}\n{"level":"error","msg":"two"}\n', "two"),
        ('{"level":"error","msg":"one"}\n{"level":"debug","msg":"two"}\n', "one"),
        ('{"level":"error","msg":"in\\ntwo lines"}\n', "in two lines"),
        ("no json\n", "no json"),
        ('{"level":"warning","msg":"only this"}', "only this"),
        ("[1]\n", "[1]"),
        ("", ""),
    ],
)
def test_the_last_words_of_a_log(tmp_path: Path, log: str, words: str) -> None:
    (tmp_path / "log").write_text(log)
    assert program._last_words(str(tmp_path / "log")) == words


def test_a_log_that_is_not_there(tmp_path: Path) -> None:
    assert program._last_words(str(tmp_path / "log")) == ""
    assert program.warnings(str(tmp_path / "log")) == ()


def test_warnings(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"level":"warning","msg":"a"}\n{"level":"info","msg":"b"}\n')
    assert program.warnings(str(tmp_path / "log")) == ("a",)


def test_who_made_a_bundle(tmp_path: Path) -> None:
    directory = str(tmp_path)
    assert container.deletion(directory) is None
    (tmp_path / "runtime.json").write_text("{")
    assert container.deletion(directory) is None
    who = {"id": "1", "program": "/r", "arguments": ["-x"]}
    (tmp_path / "runtime.json").write_text(json.dumps(who))
    command = container.deletion(directory)
    assert command is not None
    assert command[:4] == ("/r", "-x", "--root", f"{tmp_path}/state")
    assert command[-3:] == ("delete", "--force", "1")
