"""``boxship build`` and ``boxship buildx`` against an engine, by both of its doors."""

import io
import json
import signal
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest

from boxship.client.buildkit.builder import Builder
from boxship.client.buildkit.link import Link
from boxship.client.engine import HijackedStream
from boxship.client.http import ResponseHead
from boxship.client.transport import PlainConnection
from boxship.wire.buildkit import control, methods
from support.cli import Cli
from support.engine import Engine
from support.waiting import eventually

pytestmark = pytest.mark.privileged

DOORS = pytest.mark.parametrize("door", ["1", "0"], ids=["buildkit", "classic"])


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """What images are made of in most of these tests."""
    root = tmp_path / "context"
    root.mkdir()
    (root / "file").write_text("content\n")
    (root / "skipped").write_text("never seen\n")
    (root / ".dockerignore").write_text("# comment\nskipped\n")
    (root / "Dockerfile").write_text(
        "FROM busybox AS base\n"
        "ARG WORD=nothing\n"
        'LABEL word="$WORD"\n'
        "COPY . /here\n"
        "FROM base AS last\n"
        "RUN ls /here > /list\n"
        'CMD ["cat", "/list"]\n'
    )
    return root


def through(boxship: Cli, door: str) -> Cli:
    return Cli(boxship.program, {**boxship._environment, "DOCKER_BUILDKIT": door})


@DOORS
def test_an_image_is_made_and_runs(engine: Engine, boxship: Cli, context: Path, door: str) -> None:
    build = through(boxship, door)
    iid = context.parent / "iid"
    done = build.run(
        "build", "-t", f"made:{door}", "--build-arg", "WORD=hello", "--label", "own=label",
        "--iidfile", str(iid), str(context),
    )  # fmt: skip
    assert done.code == 0, done
    image = engine.api.get(f"/images/made:{door}/json").json()
    assert iid.read_text() == image["Id"]
    assert image["Config"]["Labels"] == {"word": "hello", "own": "label"}
    names = boxship("run", "--rm", "--network", "none", f"made:{door}").split()
    assert sorted(names) == ["Dockerfile", "file"]
    boxship("rmi", f"made:{door}")


@DOORS
def test_quiet_prints_the_id_alone(boxship: Cli, context: Path, door: str) -> None:
    build = through(boxship, door)
    first = build.run("build", "-q", str(context))
    again = build.run("build", "-q", str(context))
    assert first.code == 0, first
    assert first.out.startswith("sha256:")
    assert first.out == again.out
    assert first.err == ""
    boxship("rmi", "-f", first.out.strip())


@DOORS
def test_a_step_that_fails_ends_the_build(boxship: Cli, context: Path, door: str) -> None:
    (context / "Dockerfile").write_text("FROM busybox\nRUN echo last words; exit 3\n")
    done = through(boxship, door).run("build", str(context))
    assert done.code == (1 if door == "1" else 3), done
    assert "last words" in done.err + done.out
    assert "exit code: 3" in done.err or "non-zero code: 3" in done.err


@DOORS
@pytest.mark.parametrize("given", ["dockerfile", "archive", "beside"])
def test_contexts_from_elsewhere(boxship: Cli, context: Path, door: str, given: str) -> None:
    build = through(boxship, door)
    text = b"FROM busybox\nLABEL given=here\n"
    if given == "dockerfile":
        done = _with_input(build, text, "build", "-q", "-")
    elif given == "beside":
        done = _with_input(build, text + b"COPY file /f\n", "build", "-q", "-f", "-", str(context))
    else:
        archive = context.parent / "context.tar"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(context, ".")
        data = archive.read_bytes()
        done = _with_input(build, data, "build", "-q", "--target", "base", "-")
    assert done.returncode == 0, done
    image = done.stdout.decode().strip()
    labels = json.loads(boxship("image", "inspect", image))[0]["Config"]["Labels"]
    assert labels == ({"word": "nothing"} if given == "archive" else {"given": "here"})
    boxship("rmi", "-f", image)


def _with_input(cli: Cli, data: bytes, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [cli.program, *arguments],
        input=data,
        capture_output=True,
        env=cli._environment,
        timeout=60,
        check=False,
    )


def test_lines_of_the_dockerfile_are_shown_and_what_was_told(boxship: Cli, context: Path) -> None:
    done = boxship.run("build", "--progress", "plain", "-t", "plain:1", str(context))
    assert done.code == 0, done
    assert "#1 [internal] load build definition from Dockerfile" in done.err
    assert "[last 1/1] RUN ls /here > /list" in done.err
    again = boxship.run("build", "--progress", "rawjson", "-t", "plain:1", str(context))
    updates = [json.loads(line) for line in again.err.splitlines()]
    vertices = [each for update in updates for each in update.get("vertexes", ())]
    cached = {each["name"] for each in vertices if each.get("cached")}
    assert "[last 1/1] RUN ls /here > /list" in cached
    boxship("rmi", "plain:1")


def test_progress_is_drawn_on_a_terminal(boxship: Cli, context: Path) -> None:
    with boxship.on_terminal("build", "-t", "drawn:1", str(context)) as terminal:
        terminal.expect(r"\[\+\] Building \d+\.\ds \(\d+/\d+\) FINISHED")
        terminal.expect(r"=> (CACHED )?\[last 1/1\] RUN ls")
        assert terminal.close() == 0
    boxship("rmi", "drawn:1")


def test_what_is_known_of_the_result_is_written_down(boxship: Cli, context: Path) -> None:
    place = context.parent / "metadata"
    image = boxship("build", "-q", "-t", "known:1", "--metadata-file", str(place), str(context))
    document = json.loads(place.read_text())
    assert document["containerimage.digest"] == image
    assert document["buildx.build.ref"].startswith("default/default/")
    boxship("rmi", "known:1")


def test_secrets_are_seen_by_their_step_and_nowhere_else(boxship: Cli, context: Path) -> None:
    (context / "Dockerfile").write_text(
        "FROM busybox\n"
        "RUN --mount=type=secret,id=a --mount=type=secret,id=b "
        "cat /run/secrets/a /run/secrets/b | wc -c > /count\n"
    )
    (context.parent / "a").write_text("first-secret")
    build = Cli(boxship.program, {**boxship._environment, "B_SECRET": "second-secret"})
    place = context.parent / "a"
    done = build.run(
        "build", "-q", "-t", "secret:1", "--secret", f"id=a,src={place}",
        "--secret", "id=b,env=B_SECRET", str(context),
    )  # fmt: skip
    assert done.code == 0, done
    assert boxship("run", "--rm", "--network", "none", "secret:1", "cat", "/count") == "25"
    assert "secret-" not in boxship("history", "--no-trunc", "secret:1")
    assert "-secret" not in boxship("history", "--no-trunc", "secret:1").replace("secret:1", "")
    boxship("rmi", "secret:1")


@pytest.mark.boxshipd  # its frontend of 2020 knows one context only
def test_a_directory_beside_the_context_has_a_name(boxship: Cli, context: Path) -> None:
    other = context.parent / "other"
    other.mkdir()
    (other / "thing").write_text("from beside\n")
    (context / "Dockerfile").write_text("FROM busybox\nCOPY --from=beside /thing /thing\n")
    boxship("build", "-q", "-t", "named:1", "--build-context", f"beside={other}", str(context))
    assert boxship("run", "--rm", "--network", "none", "named:1", "cat", "/thing") == "from beside"
    boxship("rmi", "named:1")


def test_a_build_that_is_interrupted_ends_its_step(
    engine: Engine, boxship: Cli, context: Path
) -> None:
    # In two words: the step's name, which is shown before it runs, has not what it says.
    (context / "Dockerfile").write_text('FROM busybox\nRUN echo he""re; sleep 1000\n')
    with boxship.start("build", "--progress", "plain", str(context)) as build:
        try:
            assert build.stderr is not None
            assert any(line.endswith(b" here\n") for line in build.stderr)
            assert engine.inhabitants()
            build.send_signal(signal.SIGINT)
            build.communicate(timeout=20)
        finally:
            build.kill()
    assert build.returncode == 130
    eventually(lambda: not engine.inhabitants(), "the end of the step")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("nowhere",), 'unable to prepare context: path "nowhere" not found'),
        (("-f", "nothing", "."), "failed to read dockerfile: open nothing"),
        (("--target", "stage", "CONTEXT"), "stage"),
        (("--secret", "id=x,src=nothing", "CONTEXT"), "no such file: secret x"),
        (("--builder", "other", "CONTEXT"), 'no builder "other" found'),
        (("-o", "type=oci,tar=false,dest=x", "CONTEXT"), "write a tar and unpack it"),
    ],
)
def test_what_is_wrong_is_said(
    boxship: Cli, context: Path, arguments: tuple[str, ...], reason: str
) -> None:
    line = [str(context) if argument == "CONTEXT" else argument for argument in arguments]
    done = boxship.run("build", *line)
    assert done.code == 1, done
    assert reason in done.err


def test_the_classic_builder_says_what_it_cannot_do(boxship: Cli, context: Path) -> None:
    done = through(boxship, "0").run("build", "--secret", "id=x,env=HOME", str(context))
    assert done.code == 1
    assert "--secret: not possible with the classic builder" in done.err


def test_the_builder_and_its_cache_are_shown_and_pruned(boxship: Cli, context: Path) -> None:
    image = boxship("build", "-q", str(context))
    assert boxship("buildx", "ls").splitlines()[1].startswith("default*")
    assert "Driver: docker" in boxship("buildx", "inspect")
    assert boxship("buildx", "du").splitlines()[0].split()[:2] == ["ID", "RECLAIMABLE"]
    boxship("rmi", "-f", image)
    assert "Total:" in boxship("buildx", "prune", "-f", "-a")
    assert "Total reclaimed space: 0B" in boxship("builder", "prune", "-f", "-a")


@pytest.mark.boxshipd
def test_a_step_that_runs_says_why_it_was_not_in_the_cache(boxship: Cli, context: Path) -> None:
    first = boxship("build", "-q", str(context))
    (context / "file").write_text("other\n")
    done = boxship.run("build", "--explain-cache", "-t", "explained:1", str(context))
    assert done.code == 0, done
    assert "cache miss: file changed" in done.err
    boxship("rmi", "-f", "explained:1", first)


@pytest.mark.boxshipd
def test_a_failed_step_can_be_entered(boxship: Cli, context: Path) -> None:
    (context / "Dockerfile").write_text(
        "FROM busybox\nENV WORD=hello\nWORKDIR /here\nRUN echo half > made; exit 7\n"
    )
    before = boxship("images", "-aq")
    with boxship.on_terminal(
        "build", "--network", "none", "--on-error", "shell", str(context)
    ) as terminal:
        terminal.expect("entering the failed step")
        terminal.expect("# ")
        terminal.type("echo $WORD $(pwd) $(cat made)\n")
        terminal.expect("hello /here half")
        terminal.type("exit\n")
        assert terminal.close() == 1
    assert boxship("images", "-aq") == before


@pytest.mark.boxshipd
def test_a_dockerfile_is_checked_and_described(boxship: Cli, context: Path) -> None:
    assert boxship("build", "--check", str(context)) == "Check complete, no warnings found."
    targets = boxship("build", "--call", "targets", str(context))
    assert "base" in targets
    assert "last (default)" in targets.replace("\n", " ")
    (context / "Dockerfile").write_text("FROM busybox as base\nRUN true\n")
    done = boxship.run("build", "--check", str(context))
    assert done.code == 1
    assert "FromAsCasing" in done.out
    assert boxship.run("build", "--call", "check,ignorestatus=true", str(context)).code == 0
    found = json.loads(boxship.run("build", "--call", "check,format=json", str(context)).out)
    assert [each["ruleName"] for each in found["warnings"]] == ["FromAsCasing"]


@pytest.mark.boxshipd
def test_a_cache_is_left_in_a_directory_and_found_again(boxship: Cli, context: Path) -> None:
    cache = context.parent / "cache"
    to = f"type=local,dest={cache},mode=max"
    image = boxship("build", "-q", "--cache-to", to, str(context))
    boxship("rmi", "-f", image)
    boxship("buildx", "prune", "-fa")
    again = boxship.run(
        "build", "--progress", "rawjson", "--cache-from", f"type=local,src={cache}", str(context)
    )
    assert again.code == 0, again
    lines = [json.loads(line) for line in again.err.splitlines()]
    cached = {
        each["name"] for line in lines for each in line.get("vertexes", ()) if each.get("cached")
    }
    assert "[last 1/1] RUN ls /here > /list" in cached


@pytest.mark.boxshipd
def test_builds_of_before_are_known(boxship: Cli, context: Path) -> None:
    place = context.parent / "metadata"
    boxship("build", "-q", "-t", "known:2", "--metadata-file", str(place), str(context))
    ref = json.loads(place.read_text())["buildx.build.ref"].rpartition("/")[2]
    rows = boxship("buildx", "history", "ls", "--format", "{{.Ref}} {{.Status}}").splitlines()
    assert f"{ref} Completed" in rows
    assert f"Ref:          {ref}" in boxship("buildx", "history", "inspect", ref)
    assert "RUN ls /here" in boxship("buildx", "history", "logs", ref)
    boxship("buildx", "history", "rm", ref)
    assert ref not in boxship("buildx", "history", "ls")
    assert "no record has the ref" in boxship.run("buildx", "history", "inspect", ref).err
    boxship("rmi", "known:2")


def test_results_become_files(boxship: Cli, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM scratch AS files\nCOPY file /sub/file\n")
    out = context.parent / "out"
    out.mkdir()
    (out / "before").write_text("stays")
    assert boxship("build", "-q", "-o", str(out), str(context)) == ""
    assert (out / "sub" / "file").read_text() == "content\n"
    assert (out / "before").read_text() == "stays"
    piped = _with_input(boxship, b"", "build", "-o", "-", str(context))
    assert piped.returncode == 0, piped
    with tarfile.open(fileobj=io.BytesIO(piped.stdout)) as archive:
        assert "sub/file" in archive.getnames()


@pytest.mark.boxshipd
def test_one_build_has_several_results(boxship: Cli, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
    layout, out = context.parent / "layout.tar", context.parent / "out"
    image = boxship(
        "build", "-q", "-t", "several:1", "--sbom", "true", "--provenance", "mode=max",
        "-o", f"type=oci,dest={layout}", "-o", f"type=local,dest={out}", "--load", str(context),
    )  # fmt: skip
    assert (out / "file").read_text() == "content\n"
    loaded = json.loads(boxship("image", "inspect", "several:1"))[0]["Id"]
    with tarfile.open(layout) as archive:
        index = archive.extractfile("index.json")
        assert index is not None
        top = json.load(index)["manifests"][0]
        assert "several:1" in top["annotations"]["io.containerd.image.name"]
        assert f"blobs/sha256/{loaded.removeprefix('sha256:')}" in archive.getnames()
        statements = [
            name
            for name in archive.getnames()
            if (file := archive.extractfile(name)) is not None
            and file.read(40).startswith(b'{"_type":"https://in-toto.io')
        ]
    assert len(statements) == 2
    assert image.startswith("sha256:")
    boxship("rmi", "several:1")


def test_the_builder_is_spoken_to_over_standard_streams(boxship: Cli) -> None:
    ours, theirs = socket.socketpair()
    command = [boxship.program, "buildx", "dial-stdio"]
    with (
        theirs,
        subprocess.Popen(
            command, stdin=theirs.fileno(), stdout=theirs.fileno(), env=boxship._environment
        ) as passing,
    ):
        theirs.close()
        stream = HijackedStream(PlainConnection(ours), ResponseHead(101, ()), b"")
        with Builder(Link(stream)) as builder:
            workers = builder.ask(methods.LIST_WORKERS, control.ListWorkersRequest()).record
        assert workers[0].platforms[0].os == "linux"
        assert passing.wait(20) == 0
