"""Installing below another root: what comes there, what stays, and what is in the way."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from boxship.base.errors import ConflictError, InvalidArgumentError, NotFoundError
from boxship.installing import home as homes
from boxship.installing.home import Home, find_home
from boxship.installing.installation import install, installed, plan, plan_end, uninstall
from boxship.installing.layout import Layout
from boxship.installing.units import service_unit, socket_unit
from boxship.installing.verifying import verify
from boxship.installing.versions import superseded
from boxship.installing.wanted import Wish

HOME = Home("/opt/boxship/current/bin", "build-1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine's root where the group is already: adding one is groupadd's."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("root:x:0:\nboxship:x:998:\n")
    return tmp_path


@pytest.fixture
def wish(root: Path) -> Callable[..., Wish]:
    def make(**changes: object) -> Wish:
        values: dict[str, object] = {
            "layout": Layout(str(root)),
            "home": HOME,
            "documents": {"share/man/man1/boxship.1": b"page", "share/x": b"completion"},
            "links": {"share/man/man1/boxship-ps.1": "boxship.1"},
        }
        return Wish(**{**values, **changes})  # type: ignore[arg-type]

    return make


def done(wish: Wish) -> list[str]:
    steps: list[str] = []
    install(plan(wish), lambda step: steps.append(str(step)))
    return steps


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): os.readlink(path) if path.is_symlink() else path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_everything_is_where_the_machine_looks(wish: Callable[..., Wish], root: Path) -> None:
    done(wish())
    there = tree(root)
    assert there.pop("etc/group")
    assert json.loads(there.pop("usr/local/lib/boxship/installed.json"))["build"] == "build-1"
    units = "usr/local/lib/systemd/system"
    assert there.pop(f"{units}/boxship.service") == service_unit("/usr/local/bin/boxshipd")
    assert there.pop(f"{units}/boxship.socket") == socket_unit(as_docker=False)
    wants = "etc/systemd/system"
    assert there == {
        "usr/local/bin/boxship": "/opt/boxship/current/bin/boxship",
        "usr/local/bin/boxship-runtime": "/opt/boxship/current/bin/boxship-runtime",
        "usr/local/bin/boxshipd": "/opt/boxship/current/bin/boxshipd",
        "usr/local/share/man/man1/boxship.1": "page",
        "usr/local/share/man/man1/boxship-ps.1": "boxship.1",
        "usr/local/share/x": "completion",
        f"{wants}/sockets.target.wants/boxship.socket": f"/{units}/boxship.socket",
        f"{wants}/multi-user.target.wants/boxship.service": f"/{units}/boxship.service",
    }
    assert (root / "etc/boxship").is_dir()


def test_a_second_time_there_is_nothing_to_do(wish: Callable[..., Wish]) -> None:
    assert done(wish())
    assert done(wish()) == []


def test_steps_read_as_sentences(wish: Callable[..., Wish]) -> None:
    assert [str(step) for step in plan(wish()).steps][:3] == [
        "make /etc/boxship",
        "link /usr/local/bin/boxship to /opt/boxship/current/bin/boxship",
        "link /usr/local/bin/boxshipd to /opt/boxship/current/bin/boxshipd",
    ]


def test_the_end_leaves_what_was_there_before(wish: Callable[..., Wish], root: Path) -> None:
    before = tree(root)
    (root / "etc/boxship").mkdir()
    (root / "etc/boxship/daemon.json").write_text("{}")
    done(wish(docker_alias=True))
    layout = Layout(str(root))
    uninstall(layout, plan_end(layout), lambda step: None)
    assert tree(root) == {**before, "etc/boxship/daemon.json": "{}"}
    with pytest.raises(NotFoundError, match="no installation of Boxship below /usr/local"):
        plan_end(layout)


def test_another_version_replaces_its_files_and_drops_those_it_has_no_more(
    wish: Callable[..., Wish], root: Path
) -> None:
    done(wish())
    later = Home("/opt/boxship/current/bin", "build-2")
    planned = plan(wish(home=later, documents={"share/x": b"newer"}, links={}))
    assert planned.renewed
    assert [str(step) for step in planned.steps] == [
        "write /usr/local/share/x",
        "remove /usr/local/share/man/man1/boxship-ps.1",
        "remove /usr/local/share/man/man1/boxship.1",
    ]
    install(planned, lambda step: None)
    manifest = installed(Layout(str(root)))
    assert manifest is not None
    assert manifest.build == "build-2"
    assert all(len(marks) == 1 for marks in manifest.pieces.values())


@pytest.mark.parametrize("steps", [0, 1, 4, 8])
def test_killed_half_way_it_is_finished_by_the_next(
    wish: Callable[..., Wish], root: Path, steps: int
) -> None:
    class KilledError(Exception):
        pass

    left = [steps]

    def tell(step: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KilledError

    with pytest.raises(KilledError):
        install(plan(wish()), tell)
    half = Layout(str(root))
    if steps % 2:  # the next may be the end, too
        uninstall(half, plan_end(half), lambda step: None)
        assert set(tree(root)) == {"etc/group"}
    done(wish())
    assert done(wish()) == []


def test_a_group_goes_unless_somebody_is_in_it(wish: Callable[..., Wish], root: Path) -> None:
    group, layout = root / "etc/group", Layout(str(root))
    group.write_text("root:x:0:\n")
    (root / "etc/gshadow").touch()
    done(wish())
    made = group.read_text()
    assert "boxship:" in made
    uninstall(layout, plan_end(layout), lambda step: None)
    assert group.read_text() == "root:x:0:\n"
    assert not list(root.rglob("installed.json"))
    done(wish())
    group.write_text(group.read_text().rstrip() + "ann\n")
    steps = plan_end(layout)
    assert str(steps[-1]) == "leave group boxship, which has members"
    uninstall(layout, steps, lambda step: None)
    assert group.read_text().endswith("ann\n")
    assert not list(root.rglob("installed.json"))


def test_a_group_that_a_user_has_as_the_first_one_stays(
    wish: Callable[..., Wish], root: Path
) -> None:
    group, layout = root / "etc/group", Layout(str(root))
    group.write_text("root:x:0:\n")
    (root / "etc/gshadow").touch()
    done(wish())
    number = group.read_text().splitlines()[-1].split(":")[2]
    (root / "etc/passwd").write_text(f"ann:x:1000:{number}::/:/bin/sh\n")
    assert str(plan_end(layout)[-1]) == "leave group boxship, which has members"


def test_what_is_no_machine_gets_nothing(wish: Callable[..., Wish], root: Path) -> None:
    (root / "etc/group").unlink()
    before = tree(root)
    with pytest.raises(InvalidArgumentError, match=f"{root} is no machine's root: it has no /etc/"):
        plan(wish())
    assert tree(root) == before


def test_other_peoples_files_are_in_the_way(wish: Callable[..., Wish], root: Path) -> None:
    (root / "usr/local/bin").mkdir(parents=True)
    (root / "usr/local/bin/docker").write_text("theirs")
    before = tree(root)
    with pytest.raises(ConflictError, match=r"in the way.*: /usr/local/bin/docker \("):
        plan(wish(docker_alias=True))
    assert tree(root) == before
    done(wish())


def test_what_somebody_changed_since_is_theirs(wish: Callable[..., Wish], root: Path) -> None:
    done(wish())
    unit = root / "usr/local/lib/systemd/system/boxship.service"
    unit.write_text("[Service]\nExecStart=/bin/true\n")
    layout = Layout(str(root))
    steps = plan_end(layout)
    assert f"leave /{unit.relative_to(root)}, which was changed since" in map(str, steps)
    uninstall(layout, steps, lambda step: None)
    assert unit.exists()


def test_an_alias_is_the_command_and_the_socket(wish: Callable[..., Wish], root: Path) -> None:
    done(wish(docker_alias=True))
    assert os.readlink(root / "usr/local/bin/docker") == "/opt/boxship/current/bin/boxship"
    unit = root / "usr/local/lib/systemd/system/boxship.socket"
    assert "ListenStream=/run/docker.sock\n" in unit.read_text()
    done(wish(docker_alias=True, takes_docker_socket=False))
    assert "docker.sock" not in unit.read_text()


def test_units_go_where_systemd_looks() -> None:
    assert Layout("/", "/usr").units == "/usr/lib/systemd/system"
    assert Layout("/", "/opt/elsewhere").units == "/etc/systemd/system"


def test_programs_that_are_in_place_already_stay(root: Path, wish: Callable[..., Wish]) -> None:
    for name in ("boxship", "boxshipd", "boxship-runtime"):
        program = root / "usr/local/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!by pip")
    done(wish(home=Home(f"{root}/usr/local/bin", "b")))
    assert (root / "usr/local/bin/boxshipd").read_text() == "#!by pip"


def test_a_damaged_list_of_pieces_is_named(root: Path, wish: Callable[..., Wish]) -> None:
    done(wish())
    listing = root / "usr/local/lib/boxship/installed.json"
    listing.write_text('{"pieces": 3')
    with pytest.raises(InvalidArgumentError, match=f"{listing} is damaged"):
        plan(wish())


# ── where the programs are ───────────────────────────────────────────────────────────────────────


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    for version in ("1-aaa", "2-bbb"):
        programs = tmp_path / "versions" / version / "bin"
        programs.mkdir(parents=True)
        for name in ("boxship", "boxshipd"):
            (programs / name).touch(0o755)
    (tmp_path / "current").symlink_to("versions/2-bbb")
    return tmp_path


def test_a_bundle_is_reached_by_the_link_that_an_upgrade_moves(bundle: Path) -> None:
    assert find_home(f"{bundle}/current/bin/boxship") == Home(f"{bundle}/current/bin", "2-bbb")
    # a version that isn't current speaks for itself alone
    old = find_home(f"{bundle}/versions/1-aaa/bin/boxship")
    assert old.programs == f"{bundle}/versions/1-aaa/bin"


def test_a_home_needs_the_daemon(tmp_path: Path) -> None:
    (tmp_path / "boxship").touch(0o755)
    with pytest.raises(NotFoundError, match="no boxshipd beside"):
        find_home(f"{tmp_path}/boxship")


def test_the_build_changes_with_the_code(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    first = homes._build_of(str(tmp_path))
    assert homes._build_of(str(tmp_path)) == first
    (tmp_path / "b.py").write_text("2")
    assert homes._build_of(str(tmp_path)) != first


def test_versions_that_something_runs_from_stay(bundle: Path) -> None:
    import subprocess

    home = Home(f"{bundle}/current/bin", "2-bbb")
    shim = ["sh", "-c", "echo up; read line", f"{bundle}/versions/1-aaa/lib"]
    with subprocess.Popen(shim, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()  # the kernel shows its command line from now on, for sure
        assert superseded(home) == []
        process.stdin.close()
        process.wait()
    assert superseded(home) == [f"{bundle}/versions/1-aaa"]
    assert superseded(Home("/usr/local/bin", "x")) == []


# ── is it still whole? ───────────────────────────────────────────────────────────────────────────


def flaws(wish: Wish, *, repair: bool) -> list[tuple[str, str, bool]]:
    return [(f.place, f.problem, f.repaired) for f in verify(plan(wish), repair=repair)]


def test_what_is_missing_or_changed_is_found_and_put_there_again(
    wish: Callable[..., Wish], root: Path
) -> None:
    done(wish())
    assert flaws(wish(), repair=True) == []
    (root / "usr/local/bin/boxshipd").unlink()
    (root / "usr/local/share/x").write_text("scribble")
    (root / "etc/boxship").rmdir()
    wrong = [
        ("/etc/boxship", "is missing"),
        ("/usr/local/bin/boxshipd", "is missing"),
        ("/usr/local/share/x", "is not as it was installed"),
    ]
    assert flaws(wish(), repair=False) == [(*each, False) for each in wrong]
    assert flaws(wish(), repair=True) == [(*each, True) for each in wrong]
    assert flaws(wish(), repair=True) == []


def test_what_can_t_be_repaired_says_why(wish: Callable[..., Wish], root: Path) -> None:
    done(wish())
    shutil.rmtree(root / "usr/local/share/man")
    (root / "usr/local/share/man").write_text("a file, where pages are to be")
    [first, _] = verify(plan(wish()), repair=True)
    assert (first.place, first.repaired) == ("/usr/local/share/man/man1/boxship.1", False)
    assert first.remedy.startswith("boxship system install: cannot write")


def test_everybody_may_read_what_is_installed(wish: Callable[..., Wish], root: Path) -> None:
    before = os.umask(0o077)
    try:
        done(wish())
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    page = root / "usr/local/share/man/man1/boxship.1"
    assert page.stat().st_mode & 0o777 == 0o644
    directories = [path for path in page.parents if root in path.parents]
    for path in (*directories, root / "etc/boxship"):
        assert path.stat().st_mode & 0o777 == 0o755, path
