"""Several builds on one display."""

import pytest

from boxship.cli.bake.showing import SharedDisplay, StoppedError, named
from boxship.cli.buildprogress.display import QuietDisplay
from boxship.client.buildkit.progress import Log, Update, Vertex


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("[2/3] RUN x", "[app 2/3] RUN x"),
        ("[base 1/1] FROM y", "[app base 1/1] FROM y"),
        ("[internal] load z", "[app internal] load z"),
        ("exporting to image", "[app] exporting to image"),
        ("", ""),
    ],
)
def test_steps_are_named_after_their_target(name: str, shown: str) -> None:
    update = Update((Vertex("d", name, ("i",)),), logs=(Log("d", 1, b"x", 0),))
    assert named(update, "app") == Update(
        (Vertex("app d", shown, ("app i",)),), logs=(Log("app d", 1, b"x", 0),)
    )


def test_each_part_remembers_its_own_and_ends_when_all_end() -> None:
    whole = QuietDisplay()
    shared = SharedDisplay(whole)
    one, other = shared.part("one"), shared.part("other")
    one.show(Update((Vertex("d", "[1/1] x"),)), 0)
    assert list(one.trace.jobs) == ["d"]
    assert list(other.trace.jobs) == []
    assert list(whole.trace.jobs) == ["one d"]
    shared.stopped.set()
    with pytest.raises(StoppedError):
        other.tick(0)
