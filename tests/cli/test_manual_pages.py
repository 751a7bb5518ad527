"""Manual pages: made of the tables, and read by both formatters without a warning."""

import subprocess
from pathlib import Path

import pytest

from boxship.cli import catalog
from boxship.cli.flags import Flag
from boxship.cli.kinds import STRING
from boxship.cli.main import GLOBAL_FLAGS
from boxship.cli.manual.pages import pages
from boxship.cli.manual.roff import item, prose
from boxship.daemon.options import flags_for_people
from support.programs import needs, required

RELEASE = ("2026-01-02", "9.9")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("man")
    made, links = pages(GLOBAL_FLAGS, flags_for_people(), RELEASE)
    for name, text in made.items():
        (place / name).write_bytes(text)
    for name, target in links.items():
        (place / name).symlink_to(target)
    return place


def test_every_spelling_of_every_verb_has_its_page(directory: Path) -> None:
    spelled = {path for entry in catalog.ENTRIES for path in entry.paths}
    named = spelled | {noun.name for noun in catalog.NOUNS}
    missing = [n for n in named if not (directory / f"boxship-{n.replace(' ', '-')}.1").exists()]
    assert missing == []


def test_a_page_shows_what_help_shows(directory: Path) -> None:
    text = (directory / "boxship-ps.1").read_text()
    assert text.startswith('.TH BOXSHIP\\-CONTAINER\\-LS 1 2026-01-02 "Boxship 9.9" "Boxship"\n')
    assert r"\fB\-a\fR, \fB\-\-all\fR" in text
    assert "boxship ps" in text


def test_words_that_would_be_requests_are_words() -> None:
    assert prose(".TH is a request\n\n  .in a block\nand 'this") == [
        r"\&.TH is a request", ".PP", ".EX", r"\&  .in a block", ".EE", r"and \(aqthis",
    ]  # fmt: skip
    assert item("x", "a\\b \u2013 c") == [".TP", "x", r"a\eb \[u2013] c"]


def test_hidden_flags_stay_hidden() -> None:
    shown = Flag("shown", "", STRING, "x")
    made, _ = pages((shown, shown._replace(name="secret", hidden=True)), (), RELEASE)
    assert b"shown" in made["boxship.1"]
    assert b"secret" not in made["boxship.1"]


@needs("mandoc")
def test_mandoc_has_nothing_to_say(directory: Path) -> None:
    found = [str(path) for path in sorted(directory.iterdir()) if not path.is_symlink()]
    done = subprocess.run(
        [required("mandoc"), "-T", "lint", "-W", "warning", *found],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


@needs("man")
def test_man_has_nothing_to_say(directory: Path) -> None:
    some = [str(directory / name) for name in ("boxship.1", "boxship-run.1", "boxshipd.8")]
    done = subprocess.run(
        [required("man"), "--warnings", "-E", "UTF-8", "-l", *some],
        capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "--live-restore" in done.stdout
