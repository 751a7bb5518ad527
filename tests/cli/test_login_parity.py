"""``login``, ``logout`` and ``search`` beside Docker's own client: requests, output, files."""

import base64
import json
import shlex
import stat
from pathlib import Path

import pytest

HUB = "https://index.docker.io/v1/"
GOOD = (200, '{"Status":"Login Succeeded","IdentityToken":""}')
TOKEN = (200, '{"Status":"Login Succeeded","IdentityToken":"a-token"}')
BAD = (401, '{"message":"unauthorized: incorrect username or password"}')

HELPER = """#!/bin/sh
echo "$1" >>"$0.calls"
case $1 in
get) read -r server
     [ -e "$0.kept" ] || { echo "credentials not found in native keychain"; exit 1; }
     cat "$0.kept" ;;
store) cat >"$0.kept" ;;
erase) rm -f "$0.kept" ;;
list) echo '{}' ;;
esac
"""

LINES = """
login -u me -p secret reg.example.com:5000
login -u me -p secret https://reg.example.com/v1/
login -u me -p secret
login -u me -p secret docker.io
login -u me --password-stdin reg.example.com
login reg.example.com
login -u me reg.example.com
login -p secret reg.example.com
login --password-stdin reg.example.com
login -u me -p secret --password-stdin reg.example.com
login -u '' -p secret reg.example.com
logout reg.example.com
logout
search --limit 3 app
search --no-trunc -f stars=2 -f is-official=true app
search -f is-automated=true app
search --format json app
search --format '{{.Name}} {{.StarCount}} {{.IsOfficial}}' app
search --format 'table {{.Name}}\t{{.IsOfficial}}' app
search
""".strip().splitlines()

FOUND = [
    {
        "name": "me/app",
        "description": "Something that is rather long and goes on\nand on over lines éé",
        "star_count": 1,
        "is_official": False,
        "is_automated": False,
    },
    {"name": "app", "description": "", "star_count": 30, "is_official": True},
]


def config(client) -> object:
    path = client.directory / ".docker/config.json"
    return json.loads(path.read_text()) if path.exists() else None


def both(line: str, recorder, clients, *, stdin: str = "", before: object = None) -> list[object]:
    """What each client asked, said and wrote."""
    seen = []
    for client in clients:
        path: Path = client.directory / ".docker/config.json"
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_text(json.dumps(before))
        outcome = client(*shlex.split(line), stdin=stdin, DOCKER_API_VERSION=recorder.version)
        asked = [(_target(request.target), request.json()) for request in recorder.take()]
        seen.append((asked, outcome.code, outcome.out, outcome.err, config(client)))
    return seen


def _target(text: str) -> tuple[str, list[str]]:
    path, _, query = text.partition("?")
    return path, sorted(query.split("&"))


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("answer", [GOOD, TOKEN, BAD], ids=["good", "token", "bad"])
def test_the_same_is_asked_said_and_kept(line: str, answer, recorder, ours, theirs) -> None:
    if not line.startswith("login") and answer is not GOOD:
        return
    recorder.answers["POST /auth"] = answer
    recorder.answers["GET /images/search"] = (200, json.dumps(FOUND))
    before = {"auths": {"reg.example.com": {}, "other": {"auth": "YTpi"}}, "psFormat": "x"}
    docker, boxship = both(line, recorder, (theirs, ours), stdin="secret\n", before=before)
    if docker[1] != 0 and not docker[0]:
        # Refused before anything was asked; the hints at --help are each program's own.
        assert (boxship[0], boxship[1], boxship[4]) == (docker[0], docker[1], docker[4])
        return
    assert boxship == docker


def test_what_is_known_is_tried_first(recorder, ours, theirs) -> None:
    recorder.answers["POST /auth"] = GOOD
    known = {"auths": {"reg.example.com": {"auth": base64.b64encode(b"me:secret").decode()}}}
    docker, boxship = both("login reg.example.com", recorder, (theirs, ours), before=known)
    assert boxship == docker
    assert boxship[0][0][1]["password"] == "secret"


def test_the_file_is_readable_for_its_owner_alone(recorder, ours) -> None:
    recorder.answers["POST /auth"] = GOOD
    assert ours("login", "-u", "me", "--password-stdin", "reg", stdin="secret").code == 0
    path = ours.directory / ".docker/config.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "secret" not in path.read_text()


@pytest.mark.parametrize("key", ["credsStore", "credHelpers"])
def test_a_helper_keeps_what_it_is_for(key: str, recorder, ours, theirs, tmp_path: Path) -> None:
    recorder.answers["POST /auth"] = GOOD
    recorder.answers["GET /images/search"] = (200, "[]")
    program = tmp_path / "docker-credential-test"
    program.write_text(HELPER)
    program.chmod(0o755)
    settings = {key: "test" if key == "credsStore" else {"reg.example.com": "test"}}
    kept = tmp_path / "docker-credential-test.kept"
    states = []
    for client in (theirs, ours):
        path = client.directory / ".docker/config.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(settings))
        with_helper = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        done = client(
            "login", "-u", "me", "--password-stdin", "reg.example.com", stdin="s", **with_helper
        )
        assert done.code == 0, done
        stored = json.loads(kept.read_text()), config(client), done.out, done.err
        recorder.take()
        assert client("search", "reg.example.com/app", **with_helper).code == 0
        assert client("logout", "reg.example.com", **with_helper).code == 0
        states.append((stored, kept.exists(), config(client)))
    assert states[1] == states[0]
    assert not states[1][1]


def test_a_helper_that_fails_is_named_and_what_is_public_comes_all_the_same(recorder, ours) -> None:
    recorder.answers["GET /images/search"] = (200, "[]")
    recorder.answers["POST /images/create"] = (200, "{}")
    path = ours.directory / ".docker/config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"credsStore": "missing"}')
    for verb in ("search", "pull"):
        done = ours(verb, "app")
        assert done.code == 0, done
        assert "docker-credential-missing" in done.err
        assert done.err.endswith("; going on without a login\n")
    done = ours("login", "-u", "me", "--password-stdin", "reg.example.com", stdin="s")
    assert done.code == 1
