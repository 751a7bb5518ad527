"""Verbs of plugins: the same requests and texts as Docker's own client."""

import io
import json
import os
import shlex
import tarfile
from pathlib import Path

import pytest

from boxship.cli.command.plugin.packing import packed

CONFIG = {
    "Args": {"Description": "", "Name": "", "Settable": None, "Value": None},
    "Description": "a plugin with a description that is far too long to be shown",
    "Interface": {"Socket": "v.sock", "Types": ["docker.volumedriver/1.0"]},
}


def plugin(name: str, *, enabled: bool = False) -> dict[str, object]:
    return {
        "Config": CONFIG,
        "Enabled": enabled,
        "Id": "5724e2c8652da337ab2eedd19fc6fc0ec908e4bd907c7421bf6a8dfc70c4c078",
        "Name": f"{name}:latest",
        "PluginReference": f"{name}:latest",
        "Settings": {"Args": [], "Devices": [], "Env": ["DEBUG=0"], "Mounts": []},
    }


PRIVILEGES = [
    {"Name": "network", "Description": "permissions to access a network", "Value": ["host"]},
    {"Name": "capabilities", "Description": "d", "Value": ["CAP_A", "CAP_B"]},
]
PROGRESS = '{"status":"Digest: sha256:5"}\r\n{"status":"Pull complete","id":"6ca9e1827c32"}\r\n'


@pytest.fixture(autouse=True)
def answers(recorder) -> None:
    missing = (404, '{"message":"plugin \\"gone\\" not found"}')
    found = [plugin("b10", enabled=True), plugin("b2"), plugin("me/a")]
    recorder.answers |= {
        "GET /plugins": (200, json.dumps(found)),
        "GET /plugins/a/json": (200, json.dumps(plugin("a"))),
        "GET /plugins/on/json": (200, json.dumps(plugin("on", enabled=True))),
        "GET /plugins/gone/json": missing,
        "GET /plugins/privileges": (200, json.dumps(PRIVILEGES)),
        "POST /plugins/pull": (200, PROGRESS),
        "POST /plugins/a:latest/upgrade": (200, PROGRESS),
        "POST /plugins/a/upgrade": (200, PROGRESS),
        "POST /plugins/a/push": (200, PROGRESS),
        "POST /plugins/a:latest/push": (200, PROGRESS),
        "POST /plugins/a/enable": (200, ""),
        "POST /plugins/a/disable": (200, ""),
        "POST /plugins/gone/disable": missing,
        "POST /plugins/a/set": (204, ""),
        "DELETE /plugins/a": (200, json.dumps(plugin("a"))),
        "DELETE /plugins/gone": missing,
    }


LINES = r"""
ls
ls -q
list --no-trunc
ls -f enabled=true --filter capability=authz
ls --format {{.Name}}:{{.Enabled}}:{{.PluginReference}}
ls --format json
ls --format 'table {{.ID}}\t{{.PluginReference}}\t{{.Description}}'
ls extra
inspect a
inspect a gone
inspect -f '{{.Name}} {{.Settings.Env}}' a
inspect
enable a
enable --timeout 5 a
enable --timeout -5 a
enable
disable a
disable -f a
disable gone
set a DEBUG=1 X=2
set a
rm a
rm -f a gone
remove a
push a
push a@sha256:1111111111111111111111111111111111111111111111111111111111111111
install me/a </dev/null
install --grant-all-permissions --disable me/a
install --grant-all-permissions --disable --alias b me/a:2
upgrade on
upgrade gone
upgrade --grant-all-permissions a
upgrade a
upgrade a other
upgrade --grant-all-permissions --skip-remote-check a other
create A x
create a /nowhere
""".strip().splitlines()


@pytest.mark.parametrize("line", LINES)
def test_requests_and_texts(line: str, recorder, ours, theirs) -> None:
    outcomes = []
    for client in (ours, theirs):
        outcome = client("plugin", *shlex.split(line.removesuffix(" </dev/null")))
        requests = [(one.method, one.target, one.json()) for one in recorder.take()]
        outcomes.append((outcome.code, outcome.out, outcome.err if requests else "", requests))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("compress", [False, True])
def test_a_directory_is_sent_whole(compress: bool, tmp_path: Path) -> None:
    root = tmp_path / "rootfs"
    (root / "d").mkdir(parents=True)
    (root / "file").write_text("content")
    (root / "link").symlink_to("file")
    (root / "d" / "hard").hardlink_to(root / "file")
    (root / "file").chmod(0o4751)
    (tmp_path / "config.json").write_text("{}")
    sent = b"".join(packed(str(tmp_path), compress=compress))
    assert sent.startswith(b"\x1f\x8b") is compress
    with tarfile.open(fileobj=io.BytesIO(sent)) as archive:
        rows = {m.name: (m.type, m.mode, m.linkname, m.uid) for m in archive}
        content = archive.extractfile("rootfs/file")
        assert content is not None
        assert content.read() == b"content"
    me = os.getuid()
    assert rows == {
        "config.json": (tarfile.REGTYPE, 0o644, "", me),
        "rootfs": (tarfile.DIRTYPE, 0o755, "", me),
        "rootfs/d": (tarfile.DIRTYPE, 0o755, "", me),
        "rootfs/d/hard": (tarfile.REGTYPE, 0o4751, "", me),
        "rootfs/file": (tarfile.LNKTYPE, 0o4751, "rootfs/d/hard", me),
        "rootfs/link": (tarfile.SYMTYPE, 0o777, "file", me),
    }
