"""What is secret is nowhere in the store, nor in what the daemon says: not while a step has it, not
after a build, and not after the daemon was killed in the middle of one."""

import base64
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.builds.asking import build_with, context
from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

DOCKERFILE = """FROM busybox AS done
LABEL told=to-everybody
RUN --mount=type=secret,id=word sha256sum /run/secrets/word > /proof
RUN --mount=type=secret,id=word,target=/w,mode=0444,uid=33 test "$(stat -c %a%u /w)" = 44433
RUN --mount=type=secret,id=word,env=WORD echo "$WORD" | sha256sum >> /proof
RUN --mount=type=secret,id=word,env=WORD,target=/word test "$(cat /word)" = "$WORD"
RUN test ! -e /run/secrets/word && test -z "$WORD" && cat /proof

FROM done AS held
RUN --mount=type=secret,id=word,env=WORD,target=/word echo be""gun && sleep 1000

FROM busybox AS required
RUN --mount=type=secret,id=missing,required=true true
"""


@pytest.fixture
def own(make_engine: Callable[..., Engine]) -> Engine:
    engine = make_engine("--debug")
    engine.start()
    engine.load("busybox")
    return engine


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "context").mkdir()
    (tmp_path / "context/Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "word").write_text("wordless-" + os.urandom(16).hex())
    return tmp_path


def command(place: Path, target: str, *more: str) -> list[str]:
    secret = f"--secret=id=word,src={place / 'word'}"
    return ["build", "--network=none", f"--target={target}", secret, *more, str(place / "context")]


def traces(engine: Engine, secret: str) -> list[str]:
    """Files of the engine, and what its processes show of themselves, that have it in any form.

    What a step is given lies in memory of its own, which is no disk.
    """
    raw = secret.encode()
    forms = (
        raw,
        base64.b64encode(raw)[:-4],
        raw.hex().encode(),
        base64.urlsafe_b64encode(raw)[:-4],
    )
    return [name for name, data in _sources(engine) if any(form in data for form in forms)]


def _sources(engine: Engine) -> Iterator[tuple[str, bytes]]:
    disk = engine.home.stat().st_dev
    for top, _, names in os.walk(engine.home):
        for path in (Path(top, name) for name in names):
            with suppress(FileNotFoundError):  # the daemon goes on, and removes files as it does
                if path.is_file() and path.lstat().st_dev == disk:
                    yield str(path.relative_to(engine.home)), path.read_bytes()
    for pid in engine.processes():
        with suppress(FileNotFoundError, ProcessLookupError):
            yield f"command of {pid}", Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_secret_is_nowhere(own: Engine, place: Path) -> None:
    word = (place / "word").read_text()
    done = own.boxship.run(*command(place, "done", "--tag=made"))
    assert done.code == 0, done.err
    assert traces(own, word) == []
    assert traces(own, "to-everybody")  # it would be found
    said = [own.api.get(path).body for path in ("/images/made/json", "/images/made/history")]
    assert word.encode() not in b"".join([*said, own.api.get("/images/made/get").body])
    process = own.boxship.start(*command(place, "held", "--progress=plain"))
    try:
        assert process.stderr is not None
        assert any(line.rstrip().endswith(b" begun") for line in process.stderr)
        assert own.inhabitants()
        assert traces(own, word) == []
    finally:
        own.kill()
        process.communicate()
    assert traces(own, word) == []
    own.start()
    eventually(lambda: not own.remains(), "the end of what the step had")
    assert traces(own, word) == []


def test_another_secret_makes_no_other_image(engine: Engine, place: Path) -> None:
    """Its value is no part of what decides; were it one, keys would tell of it."""
    first = engine.boxship.run(*command(place, "done", "--quiet"))
    (place / "word").write_text("another")
    second = engine.boxship.run(*command(place, "done", "--quiet"))
    assert first.out.startswith("sha256:"), first
    assert second.out == first.out


def test_a_secret_that_is_required_is_named(engine: Engine, place: Path) -> None:
    done = engine.boxship.run(*command(place, "required"))
    assert done.code != 0
    assert "missing" in done.err


def test_a_login_is_nowhere(engine: Engine, place: Path) -> None:
    word = (place / "word").read_text()
    logins = {"127.0.0.1:1": {"username": "me", "password": word}}
    header = base64.urlsafe_b64encode(json.dumps(logins).encode()).decode()
    data = context("FROM 127.0.0.1:1/no/such:1\n")
    built = build_with({"X-Registry-Config": header}, engine.api, data, {})
    assert "127.0.0.1:1" in built.error
    assert word not in str(built)
    assert traces(engine, word) == []
