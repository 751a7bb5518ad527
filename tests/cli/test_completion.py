"""What may follow on a command line: by the tables, by asking, and in the shells themselves."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from boxship.cli.catalog import Entry
from boxship.cli.completing.scripts import SHELLS, script
from boxship.cli.completing.wishes import Source, Wish, find_wish
from boxship.cli.main import GLOBAL_FLAGS
from boxship.cli.verb import Command
from support.programs import needs, required

from .conftest import Client, Recorder


def load(entry: Entry) -> Command:
    command: Command = import_module(f"boxship.cli.command.{entry.module}").COMMAND
    return command


def wish(*words: str) -> Wish:
    return find_wish(words, GLOBAL_FLAGS, load)


def values(*words: str) -> list[str]:
    found = wish(*words)
    return [word.value for word in found.words if word.value.startswith(found.typed)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (("--tlsv",), ["--tlsverify"]),
        (("vol",), ["volume"]),
        (("-H", "unix:///x", "vol"), ["volume"]),
        (("volume", "re"), ["rename"]),
        (("buildx", "history", "l"), ["logs", "ls"]),
        (("ps", "--no-t"), ["--no-trunc"]),
        (("container", "ls", "--no-t"), ["--no-trunc"]),
        (("run", "--restart", "un"), ["unless-stopped"]),
        (("run", "--restart=un"), ["unless-stopped"]),
        (("run", "--rm="), ["true", "false"]),
        (("run", "-it", "--rm", "--hostn"), ["--hostname"]),
        (("run", "busybox", "--hostn"), []),
        (("stop", "--", "--tim"), []),
        (("completion", "z"), ["zsh"]),
        (("nonsense", "x"), []),
    ],
)
def test_words_of_the_tables(line: tuple[str, ...], expected: list[str]) -> None:
    assert values(*line) == expected


@pytest.mark.parametrize(
    ("line", "sources"),
    [
        (("stop", ""), (Source.RUNNING,)),
        (("stop", "a", ""), (Source.RUNNING,)),
        (("start", "w"), (Source.STOPPED,)),
        (("--context", ""), (Source.CONTEXTS,)),
        (("plugin", "enable", ""), (Source.PLUGINS,)),
        (("system", "socket", "rm", ""), (Source.SOCKETS,)),
        (("unpause", ""), (Source.PAUSED,)),
        (("rm", "-f", ""), (Source.CONTAINERS,)),
        (("logs", "--tail", "5", ""), (Source.CONTAINERS,)),
        (("logs", "--tail", ""), ()),
        (("logs", "a", ""), ()),
        (("run", ""), (Source.IMAGES,)),
        (("run", "-e", "A=1", "-p80:80", ""), (Source.IMAGES,)),
        (("run", "busybox", ""), ()),
        (("run", "--network", ""), (Source.NETWORKS,)),
        (("run", "--network=h",), (Source.NETWORKS,)),
        (("run", "-v", "da"), (Source.VOLUMES,)),
        (("run", "-v", "/da"), ()),
        (("network", "connect", ""), (Source.NETWORKS,)),
        (("network", "connect", "n", ""), (Source.CONTAINERS,)),
        (("network", "create", ""), ()),
        (("volume", "rm", "a", "b", ""), (Source.VOLUMES,)),
        (("cp", ""), (Source.CONTAINERS,)),
        (("tag", "a", ""), (Source.IMAGES,)),
    ],
)  # fmt: skip
def test_names_to_be_asked_for(line: tuple[str, ...], sources: tuple[Source, ...]) -> None:
    assert wish(*line).sources == sources


@pytest.mark.parametrize("line", [("build", ""), ("cp", ""), ("run", "--env-file", "x")])
def test_files_where_files_belong(line: tuple[str, ...]) -> None:
    assert wish(*line).files


@pytest.fixture
def two_containers(recorder: Recorder) -> Recorder:
    body = [
        {"Names": ["/web", "/other/alias"], "Image": "nginx:1.27", "State": "running"},
        {"Names": ["/worker"], "Image": "app", "State": "running"},
    ]
    recorder.answers["GET /containers/json"] = (200, json.dumps(body))
    return recorder


def test_the_protocol_of_dockers_own_scripts(two_containers: Recorder, ours: Client) -> None:
    done = ours("__complete", "stop", "")
    assert (done.code, done.out) == (0, "web\tnginx:1.27\nworker\tapp\n:4\n")
    asked = [request.target for request in two_containers.take()]
    assert len(asked) == 1
    assert "running" in asked[0]
    assert ours("__completeNoDesc", "stop", "wo").out == "worker\n:4\n"


def test_contexts_are_the_clients_own_files(tmp_path: Path, ours: Client) -> None:
    for number, body in enumerate(('{"Name": "far"}', '{"Name": "near"}', "rubbish")):
        place = tmp_path / f".docker/contexts/meta/{number}"
        place.mkdir(parents=True)
        (place / "meta.json").write_text(body)
    assert ours("__complete", "--context", "").out == "default\nfar\nnear\n:4\n"


def test_without_a_daemon_there_are_no_names_and_none_is_started(tmp_path: Path) -> None:
    line = ["-H", f"unix://{tmp_path}/no.sock", "stop", ""]
    done = subprocess.run(
        [sys.executable, "-m", "boxship", "__complete", *line],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (":4\n", "")
    assert list(tmp_path.iterdir()) == []


# ── the shells ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def place(tmp_path: Path, recorder: Recorder) -> Path:
    """A directory with the scripts, and a program `boxship` on the PATH that asks our daemon."""
    for shell in SHELLS:
        (tmp_path / f"script.{shell}").write_text(script(shell, "boxship"))
    program = tmp_path / "boxship"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} -m boxship -H unix://{recorder.path} "$@"\n'
    )
    program.chmod(0o755)
    images = [{"RepoTags": ["busybox:latest", "busybox:musl"]}]
    recorder.answers["GET /images/json"] = (200, json.dumps(images))
    (tmp_path / "Containerfile").touch()
    return tmp_path


def shell(place: Path, *command: str) -> str:
    environment = {
        "PATH": f"{place}:{os.environ['PATH']}",
        "HOME": str(place),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=place, env=environment
    )
    assert not done.stderr, done.stderr
    return done.stdout


BASH = """
source ./script.bash
COMP_LINE=$1 COMP_POINT=${#1}
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_boxship_complete
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("line", "words", "expected"),
    [
        ("boxship stop w", ["stop", "w"], ["web", "worker"]),
        ("boxship stop web ", ["stop", "web", ""], ["web", "worker"]),
        # readline takes the line apart at : and =, and wants what is behind
        ("boxship run busybox:mu", ["run", "busybox", ":", "mu"], ["musl"]),
        ("boxship run --restart=al", ["run", "--restart", "=", "al"], ["always"]),
        ("boxship run -e A=b --rm busybox:l",
         ["run", "-e", "A", "=", "b", "--rm", "busybox", ":", "l"], ["latest"]),
        ("boxship build -f Cont", ["build", "-f", "Cont"], ["Containerfile"]),
    ],
)  # fmt: skip
def test_bash(
    place: Path, two_containers: Recorder, line: str, words: list[str], expected: list[str]
) -> None:
    out = shell(place, "bash", "--norc", "-c", BASH, "bash", line, "boxship", *words)
    assert out.split() == expected


ZSH = """
compdef() { print "compdef $*" }
_describe() { shift 2; print -lr -- ${(P)1} }
_files() { print files }
source ./script.zsh
words=(boxship "$@") CURRENT=$(($# + 1)) PREFIX=${@[-1]}
_boxship_complete
"""


@needs("zsh")
def test_zsh(place: Path, two_containers: Recorder) -> None:
    program = required("zsh")
    out = shell(place, program, "-f", "-c", ZSH, "zsh", "stop", "")
    assert out.splitlines() == [
        "compdef _boxship_complete boxship",
        "web:nginx:1.27",
        "worker:app",
    ]
    out = shell(place, program, "-f", "-c", ZSH, "zsh", "run", "--restart=al")
    assert out.splitlines()[1:] == ["--restart=always"]
    out = shell(place, program, "-f", "-c", ZSH, "zsh", "run", "busybox:m")
    assert out.splitlines()[1:] == [r"busybox\:musl"]
    out = shell(place, program, "-f", "-c", ZSH, "zsh", "build", "")
    assert out.splitlines()[1:] == ["files"]


@needs("fish")
def test_fish(place: Path, two_containers: Recorder) -> None:
    ask = (
        "source ./script.fish; complete -C 'boxship stop w'; complete -C 'boxship run --restart=al'"
    )
    out = shell(place, required("fish"), "--no-config", "-c", ask)
    assert out.splitlines() == ["web\tnginx:1.27", "worker\tapp", "--restart=always"]
