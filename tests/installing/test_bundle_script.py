"""The bundle's own `install`, with programs that only write down what they are asked.

Its top directory is the test's, and so are `id` and `sync`: the latter is where the script can be
killed at a known point.
"""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/bundling/install"

SYNC = """#!/bin/sh
count=$(($(cat "$PLACE/syncs" 2>/dev/null || echo 0) + 1))
echo "$count" >"$PLACE/syncs"
[ "$count" != "${KILLED_AT:-}" ] || kill -9 "$PPID"
"""
PYTHON = """#!/bin/sh
echo "daemon of $BUILD: $(for word; do last=$word; done; echo "$last")" >>"$PLACE/calls"
case "$*" in *--validate*) [ -z "${REFUSES:-}" ] || { echo "too old" >&2; exit 1; } ;; esac
"""
BOXSHIP = """#!/bin/sh
echo "$(basename "$(dirname "$(dirname "$(readlink -f "$0")")")"): $*" >>"$PLACE/calls"
[ "${FAILS:-}" != "$(cat "$(dirname "$0")/../build")" ]
"""


@dataclass
class Bundle:
    place: Path
    build: str

    @property
    def top(self) -> Path:
        return self.place / "opt"

    def install(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.place / self.build / "install"), *arguments],
            capture_output=True, text=True, check=False,
            env={
                "PATH": f"{self.place}/fakes:/usr/bin:/bin", "PLACE": str(self.place),
                "BUILD": self.build, **environment,
            },
        )  # fmt: skip

    def calls(self) -> list[str]:
        path = self.place / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.write_text("")
        return lines


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def make(place: Path, build: str) -> Bundle:
    bundle = Bundle(place, build)
    program(place / "fakes/id", "#!/bin/sh\necho 0\n")
    program(place / "fakes/chown", "#!/bin/sh\n")
    program(place / "fakes/sync", SYNC)
    top = place / build
    program(top / "tree/python/bin/python3.11", PYTHON)
    program(top / "tree/bin/boxship", BOXSHIP)
    (top / "tree/build").write_text(build)
    text = SCRIPT.read_text().replace("@BUILD@", build).replace("@MACHINE@", os.uname().machine)
    program(top / "install", text.replace("top=/opt/boxship", f"top={bundle.top}"))
    listed = subprocess.run(
        ["sh", "-c", "find tree -type f | sort | xargs sha256sum"],
        cwd=top, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (top / "SHA256SUMS").write_text(listed.stdout)
    return bundle


@pytest.fixture
def old(tmp_path: Path) -> Bundle:
    return make(tmp_path, "1-old")


@pytest.fixture
def new(tmp_path: Path) -> Bundle:
    return make(tmp_path, "2-new")


def current(bundle: Bundle) -> str:
    return os.readlink(bundle.top / "current")


def test_a_version_gets_a_directory_and_the_link(old: Bundle) -> None:
    done = old.install("--docker-alias")
    assert (done.returncode, done.stderr) == (0, "")
    assert current(old) == "versions/1-old"
    assert (old.top / "current/build").read_text() == "1-old"
    assert old.calls() == [
        "daemon of 1-old: --version",
        "daemon of 1-old: --validate",
        "1-old: system install --docker-alias",
    ]
    assert old.install().returncode == 0  # and once more


def test_the_programs_are_for_everybody_whoever_unpacked_them(old: Bundle) -> None:
    for path in (old.place / "1-old").rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)  # unpacked under a umask of 077
    before = os.umask(0o077)
    try:
        assert old.install().returncode == 0
    finally:
        os.umask(before)
    tree = old.top / "versions/1-old"
    for path in (old.top, tree.parent, tree, tree / "bin", tree / "bin/boxship"):
        assert path.stat().st_mode & 0o777 == 0o755, path
    assert (tree / "build").stat().st_mode & 0o777 == 0o644


def test_records_of_a_newer_version_refuse_the_older_before_anything_changes(
    old: Bundle, new: Bundle
) -> None:
    assert new.install().returncode == 0
    done = old.install(REFUSES="yes")
    assert done.returncode == 1
    assert done.stderr == "too old\ninstall: nothing was changed\n"
    assert current(new) == "versions/2-new"
    assert os.listdir(new.top / "versions") == ["2-new"]


def test_a_damaged_bundle_is_not_installed(old: Bundle) -> None:
    (old.place / "1-old/tree/build").write_text("damage")
    done = old.install()
    assert done.returncode == 1
    assert "tree/build: FAILED" in done.stdout
    assert "the bundle is damaged" in done.stderr
    assert not old.top.exists()


@pytest.mark.parametrize(("point", "link"), [("1", "1-old"), ("2", "2-new")])
def test_killed_at_any_point_one_of_both_versions_is_whole(
    old: Bundle, new: Bundle, point: str, link: str
) -> None:
    assert old.install().returncode == 0
    (old.place / "syncs").unlink()
    assert new.install(KILLED_AT=point).returncode == -signal.SIGKILL
    assert current(new) == f"versions/{link}"
    assert (new.top / "current/build").read_text() == link
    assert new.install().returncode == 0
    assert current(new) == "versions/2-new"
    assert sorted(os.listdir(new.top / "versions")) == ["1-old", "2-new"]  # nothing half-made


def test_a_version_that_can_t_be_installed_gives_way_to_the_one_before(
    old: Bundle, new: Bundle
) -> None:
    assert old.install().returncode == 0
    old.calls()
    done = new.install(FAILS="2-new")
    assert done.returncode == 1
    assert done.stderr == "install: not installed; 1-old is in place again\n"
    assert current(new) == "versions/1-old"
    assert new.calls()[-2:] == ["2-new: system install", "1-old: system install"]


def test_another_machine_is_told(old: Bundle) -> None:
    program(old.place / "fakes/uname", "#!/bin/sh\necho pdp11\n")
    done = old.install()
    assert done.returncode == 1
    assert "and this machine is pdp11" in done.stderr
