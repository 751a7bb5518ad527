"""Files from the web, checkouts of repositories: what is fetched, and what nobody may be led to."""

import asyncio
import http.server
import itertools
import os
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import pytest

from boxship.base.errors import (
    BoxshipError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.engine.build.downloads import Downloads
from boxship.engine.build.sources import git, web
from boxship.solver.operations import GitSource, HttpSource

TEXT = b"what the server has\n"


class _Handler(http.server.SimpleHTTPRequestHandler):
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization") or "")
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "/file.txt")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path.startswith("/named"):
            self.send_response(200)
            self.send_header("Content-Disposition", 'attachment; filename="../../evil name"')
            self.send_header("Content-Length", str(len(TEXT)))
            self.end_headers()
            self.wfile.write(TEXT)
            return
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A server of the directory `www`."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www/file.txt").write_bytes(TEXT)
    os.utime(tmp_path / "www/file.txt", (1_500_000_000, 1_500_000_000))
    handler = partial(_Handler, directory=str(tmp_path / "www"))
    _Handler.seen.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{found.server_address[1]}"
        found.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


# ── the web ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "filename", "name"),
    [
        ("/file.txt", "", "file.txt"),
        ("/file.txt?x=/y", "", "file.txt"),
        ("/file.txt", "own", "own"),
        ("/named/x", "", "evil name"),
        ("/named/..", "", "evil name"),
    ],
)
def test_a_file(server: str, target: Path, path: str, filename: str, name: str) -> None:
    source = HttpSource(server + path, filename=filename)
    told: list[tuple[int, int]] = []
    found = asyncio.run(web.fetch(source, str(target), lambda *count: told.append(count)))
    assert str(found) == f"sha256:{sha256(TEXT).hexdigest()}"
    (file,) = target.iterdir()
    assert (file.name, file.read_bytes()) == (name, TEXT)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_mtime == (1_500_000_000 if "named" not in path else 0)
    assert told[-1] == (len(TEXT), len(TEXT))


@pytest.mark.parametrize(
    ("url", "checksum", "error"),
    [
        ("{}/nope", "", NotFoundError),
        ("{}/file.txt", "sha256:" + "0" * 64, InvalidArgumentError),
        ("{}/file.txt", "md5:abc", InvalidArgumentError),
        ("file:///etc/passwd", "", InvalidArgumentError),
        ("ftp://127.0.0.1/x", "", InvalidArgumentError),
        ("http://127.0.0.1:1/x", "", UnavailableError),
    ],
)
def test_no_file(
    server: str, target: Path, url: str, checksum: str, error: type[BoxshipError]
) -> None:
    source = HttpSource(url.format(server), checksum)
    with pytest.raises(error):
        asyncio.run(web.fetch(source, str(target), lambda *_: None))


def test_what_is_allowed_goes_to_no_other_place(server: str, target: Path) -> None:
    source = HttpSource(f"{server}/elsewhere", filename="x")
    asyncio.run(web.fetch(source, str(target), lambda *_: None, "Bearer geheim"))
    assert _Handler.seen == ["Bearer geheim", ""]


def test_what_has_not_changed_does_not_come_again(server: str, tmp_path: Path) -> None:
    source, downloads = HttpSource(f"{server}/file.txt"), Downloads(str(tmp_path / "kept"))
    served = tmp_path / "www/file.txt"

    def fetch(name: str, allowed: str = "") -> tuple[bytes, bool]:
        target, told = tmp_path / name, list[int]()
        target.mkdir()
        count = lambda now, _: told.append(now)  # noqa: E731
        asyncio.run(web.fetch(source, str(target), count, allowed, downloads))
        file = target / "file.txt"
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.stat().st_mtime == served.stat().st_mtime
        return file.read_bytes(), told != []

    assert fetch("one") == (TEXT, True)
    assert fetch("two") == (TEXT, False)
    assert fetch("three", "Bearer other") == (TEXT, True), "of somebody else nothing is taken"
    served.write_bytes(b"another text")
    os.utime(served, (1_600_000_000, 1_600_000_000))
    assert fetch("four") == (b"another text", True)
    assert fetch("five") == (b"another text", False)
    for kept in (tmp_path / "kept").glob("*-*"):
        kept.write_bytes(b"damaged")
    assert fetch("six") == (b"another text", True)
    assert len(list(downloads.all())) == 2
    for key, *_ in list(downloads.all()):
        assert downloads.remove(key)
    assert os.listdir(tmp_path / "kept") == []


# ── git ──────────────────────────────────────────────────────────────────────────────────────


def command(place: Path, *words: str) -> str:
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{who}_NAME": "x" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "x@x" for who in ("AUTHOR", "COMMITTER")},
    }  # fmt: skip
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *words],
        cwd=place, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def repository(server: str, tmp_path: Path) -> tuple[str, str, str]:
    """A repository behind the server: its URL, its first and its last commit."""
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    command(work, "init", "-q")
    (work / "file").write_text("first")
    (work / "sub/inner").write_text("inner")
    (work / "evil").symlink_to("/etc")
    command(work, "add", ".")
    command(work, "commit", "-qm", "first")
    command(work, "tag", "-am", "a tag", "v1")
    (work / "file").write_text("last")
    command(work, "commit", "-qam", "last")
    command(tmp_path, "clone", "-q", "--bare", str(work), "www/repository.git")
    command(tmp_path / "www/repository.git", "update-server-info")
    commits = command(work, "log", "--format=%H").split()
    return f"{server}/repository.git", commits[1], commits[0]


def checkout(source: GitSource, target: Path, access: git.Access = git.NO_ACCESS) -> str:
    return asyncio.run(git.fetch(source, str(target), lambda *_: None, access))


def test_checkouts(repository: tuple[str, str, str], target: Path) -> None:
    remote, _, last = repository
    assert checkout(GitSource(remote), target) == last
    assert (target / "file").read_text() == "last"
    assert not (target / ".git").exists()
    assert sorted(os.listdir(target.parent)) == ["target", "work", "www"]


@pytest.mark.parametrize("ref", ["v1", "refs/tags/v1", "commit"])
def test_refs(repository: tuple[str, str, str], target: Path, ref: str) -> None:
    remote, first, _ = repository
    source = GitSource(
        remote, first if ref == "commit" else ref, checksum=first[:8], subdirectory="sub"
    )
    assert asyncio.run(git.commit_of(source)) == first
    assert checkout(source, target) == first
    assert os.listdir(target) == ["inner"]


def test_the_repository_itself(repository: tuple[str, str, str], target: Path) -> None:
    checkout(GitSource(repository[0], "main", keep_git_directory=True), target)
    assert (target / ".git/HEAD").exists()


def test_a_token_goes_by_the_environment(repository: tuple[str, str, str], target: Path) -> None:
    checkout(GitSource(repository[0]), target, git.Access(token="geheim"))
    assert {word for word in _Handler.seen if word} == {"basic eC1hY2Nlc3MtdG9rZW46Z2VoZWlt"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"ref": "nope"}, NotFoundError),
        ({"ref": "--upload-pack=touch /tmp/x"}, InvalidArgumentError),
        ({"ref": "-x"}, InvalidArgumentError),
        ({"checksum": "0000"}, InvalidArgumentError),
        ({"subdirectory": "nope"}, InvalidArgumentError),
        ({"subdirectory": "../.."}, InvalidArgumentError),
        ({"subdirectory": "evil"}, InvalidArgumentError),
        ({"remote": "ext::sh -c touch% /tmp/x"}, InvalidArgumentError),
        ({"remote": "file:///etc"}, InvalidArgumentError),
        ({"remote": "/etc"}, InvalidArgumentError),
        ({"remote": "--upload-pack=x"}, InvalidArgumentError),
        ({"remote": "http://127.0.0.1:1/x.git"}, UnavailableError),
    ],
    ids=str,
)
def test_what_git_is_not_asked(
    repository: tuple[str, str, str],
    target: Path,
    change: dict[str, Any],
    error: type[BoxshipError],
) -> None:
    source = GitSource(**{"remote": repository[0], **change})
    with pytest.raises(error):
        checkout(source, target)
    assert os.listdir(target) == []
    assert sorted(os.listdir(target.parent)) == ["target", "work", "www"]


def test_ssh_is_asked_with_the_clients_agent_alone(tmp_path: Path, target: Path) -> None:
    """By a program in ssh's place, which writes down how it was called."""
    program = tmp_path / "bin/ssh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/seen; exit 1\n')
    program.chmod(0o755)
    before, os.environ["PATH"] = os.environ["PATH"], f"{program.parent}:{os.environ['PATH']}"
    try:
        for agent in ("", "/run/agent"):
            with pytest.raises(UnavailableError):
                source = GitSource("git@host:path/repository.git")
                asyncio.run(git.commit_of(source, git.Access(agent=agent)))
            words = (tmp_path / "seen").read_text().splitlines()
            options = [value for word, value in itertools.pairwise(words) if word == "-o"]
            assert {"IdentityFile=none", f"IdentityAgent={agent or 'none'}"} <= set(options)
            assert options.count("UserKnownHostsFile=/dev/null") == 1
            assert not [option for option in options if option.endswith("=")]
    finally:
        os.environ["PATH"] = before
