"""`boxship cp` puts things where `docker cp` does."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from support.cli import Cli
from support.engine import Engine
from support.trees import fingerprint

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

SCRIPT = """
mkdir -p /w/dir/sub; echo 1 > /w/dir/f; echo 22 > /w/dir/sub/g; ln -s f /w/dir/link
ln -s dir /w/to-dir; ln -s dir/f /w/to-f; echo 333 > /w/file; ln -s /none /w/dangling
chmod 600 /w/dir/f; ln /w/dir/f /w/dir/hard; touch -d 2001-02-03 /w/dir/f /w/dir/sub
"""
OUT = [
    ("box:/w/file", "new"), ("box:/w/file", "there"), ("box:/w/file", "old"),
    ("box:/w/file", "new/"), ("box:/w/file", "no/new"), ("box:/w/dir", "new"),
    ("box:/w/dir", "there"), ("box:/w/dir", "old"), ("box:/w/dir/.", "new"),
    ("box:/w/dir/.", "there"), ("box:/w/to-dir", "there"), ("box:/w/to-dir/.", "there"),
    ("-L", "box:/w/to-f", "new"), ("-L", "box:/w/to-dir", "there"), ("box:/w/dangling", "there"),
    ("box:/none", "new"), ("box:/w/dir", "clash"),
]  # fmt: skip
INTO = [
    ("there", "box:/w/new"), ("there", "box:/w/dir"), ("there/.", "box:/w/dir"),
    ("there/.", "box:/w/new"), ("there", "box:/w/file"), ("old", "box:/w/new"),
    ("old", "box:/w/dir"), ("old", "box:/w/file"), ("old", "box:/w/new/"),
    ("old", "box:/w/no/new"), ("old", "box:/w/to-dir"), ("old", "box:/w/dangling"),
    ("link-there", "box:/w/dir"), ("-L", "link-there", "box:/w/dir"),
    ("link-there/", "box:/w/dir"), ("none", "box:/w"), ("old", "box:w/new"), ("clash", "box:/w"),
    ("box:/w", "box:/v"), ("old", "there"),
]  # fmt: skip


def furnish(place: Path) -> None:
    (place / "there/sub").mkdir(parents=True)
    (place / "there/f").write_bytes(b"mine")
    (place / "there/sub/x").write_bytes(b"x" * 3000)
    (place / "there/l").symlink_to("f")
    (place / "old").write_bytes(b"old")
    (place / "clash/dir/f").mkdir(parents=True)
    (place / "clash/file").mkdir()
    (place / "link-there").symlink_to("there")


def outcome(
    engine: Engine, cli: Cli, case: tuple[str, ...], place: Path
) -> tuple[bool, object, object]:
    """Run it in a fresh container and directory; return whether it worked, and both trees."""
    place.mkdir()
    furnish(place)
    container = engine.api.create("box", Cmd=["sh", "-c", SCRIPT])
    engine.api.start(container)
    assert engine.api.wait(container) == 0
    arguments = [
        f"{place}/{word}" if ":" not in word and not word.startswith("-") else word for word in case
    ]
    done = cli.run("cp", *arguments)
    archive = engine.api.request("GET", f"/containers/{container}/archive", query={"path": "/w"})
    assert archive.status == 200
    with tarfile.open(fileobj=io.BytesIO(archive.body)) as found:
        inside = {(m.name, m.type, m.size, oct(m.mode), m.linkname) for m in found}
    engine.api.remove(container)
    outside = {name: (looks[0], looks[4], looks[6]) for name, looks in fingerprint(place).items()}
    return done.code == 0, inside, outside


@pytest.mark.parametrize("case", [*OUT, *INTO], ids=" ".join)
def test_where_it_goes(
    engine: Engine, docker: Cli, boxship: Cli, tmp_path: Path, case: tuple[str, ...]
) -> None:
    theirs = outcome(engine, docker, case, tmp_path / "d")
    ours = outcome(engine, boxship, case, tmp_path / "b")
    assert ours == theirs


def test_streams(boxship: Cli, engine: Engine, tmp_path: Path) -> None:
    boxship("create", "--name=box", "--net=none", "busybox")
    (tmp_path / "f").write_bytes(b"1")
    tarball = subprocess.run(["tar", "-c", "-C", tmp_path, "f"], capture_output=True, check=True)
    subprocess.run(
        [boxship.program, "cp", "-", "box:/tmp"],
        input=tarball.stdout,
        env=boxship._environment,
        check=True,
    )
    said = boxship.run("cp", "box:/tmp/f", str(tmp_path / "back"))
    assert said.err == f"Successfully copied 1B to {tmp_path}/back\n"
    assert (tmp_path / "back").read_bytes() == b"1"


def test_an_archive_that_leads_out_is_refused(tmp_path: Path) -> None:
    from boxship.cli.exitcodes import ExitError
    from boxship.cli.localfiles import unpack
    from support.tars import Member, directory, symlink, tar

    target = tmp_path / "target"
    target.mkdir()
    for hostile in (
        tar(directory("d"), Member("d/../../out", b"1")),
        tar(directory("d"), symlink("d/way", str(tmp_path)), Member("d/way/out", b"1")),
        tar(Member("/../out", b"1")),
    ):
        with pytest.raises(ExitError, match="leads out of"):
            unpack([hostile], str(target), "top")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["target"]
