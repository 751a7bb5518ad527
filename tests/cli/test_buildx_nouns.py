"""``buildx``: nouns behind a noun, and the one builder that there is."""

import pytest

from boxship.cli import catalog


def test_nouns_stand_behind_a_noun(ours) -> None:
    shown = ours("buildx").out
    assert "Usage:  boxship buildx COMMAND" in shown
    for word in ("build", "history", "imagetools", "du"):
        assert f"\n  {word} " in shown
    below = ours("buildx", "history", "--help").out
    assert "Usage:  boxship buildx history COMMAND" in below
    assert "\n  logs " in below
    assert "buildx history" not in ours("--help").out


def test_every_verb_of_the_catalog_can_be_asked_for_help(ours) -> None:
    """One of each kind: a verb of a noun of the second rank, and its alias of the first."""
    for path in ("buildx history ls", "buildx imagetools create", "buildx b", "builder prune"):
        assert catalog.find(path) is not None
        assert f"boxship {path}" in ours(*path.split(), "--help").out


def test_an_unknown_verb_is_named_with_its_nouns(ours) -> None:
    done = ours("buildx", "history", "nothing")
    assert done.code == 1
    assert "unknown command: boxship buildx history nothing" in done.err


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (("use", "default"), 0, ""),
        (("use", "other"), 1, 'no builder "other" found'),
        (("create", "--use"), 0, "default"),
        (("create", "--name", "x", "--driver", "docker-container"), 1, "has one builder"),
        (("stop",), 0, ""),
        (("rm",), 1, "cannot be removed"),
        (("rm", "other"), 1, 'no builder "other" found'),
        (("rm", "--all-inactive"), 0, ""),
        (("inspect", "other"), 1, 'no builder "other" found'),
        (("du", "--builder", "other"), 1, 'no builder "other" found'),
        (("history", "rm"), 1, "name builds, or say --all"),
        (("history", "ls", "--filter", "age=3"), 1, "unknown filter 'age'"),
    ],
)
def test_there_is_one_builder(ours, line: tuple[str, ...], code: int, said: str) -> None:
    done = ours("buildx", *line)
    assert done.code == code, done
    assert said in done.out + done.err
