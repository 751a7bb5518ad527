"""Clients' directories between builds: what is looked at again, and what is believed."""

import asyncio
import os
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.clientside import NoClient, Selection, Synced
from boxship.engine.build.contents import (
    File,
    Listing,
    excluding,
    listed,
    of_layers,
    of_listing,
)
from boxship.engine.build.contexts import Contexts
from boxship.solver.keys import Part


class Client(NoClient):
    """Writes what it is told to, and says whether that was a change."""

    identity = "me"

    def __init__(self) -> None:
        self.content: str | None = None
        self.dies = False

    async def sync(self, name: str, selection: Selection, target: str, *_: object) -> Synced:
        if self.content is None:
            return Synced(frozenset())
        _write(target, self.content)
        if self.dies:
            raise ConnectionError
        return Synced(frozenset({"f"}))


def _write(target: str, content: str) -> None:
    file = Path(target, "f")
    file.write_text(content)
    # Two that are written within one tick of the kernel's clock have the same times otherwise.
    os.utime(file, ns=(0, int(content)))


def run(work: Awaitable[Any]) -> Any:
    async def waited() -> Any:
        return await work

    return asyncio.run(waited())


async def look(contexts: Contexts, client: Client, *, listing: bool = True) -> Listing | None:
    async with contexts.opened(client, "context", Selection()) as context:
        return await context.listing() if listing else None


def test_what_did_not_change_is_not_even_looked_at(tmp_path: Path) -> None:
    contexts, client = Contexts(str(tmp_path), lambda _: None, "boot"), Client()
    client.content = "1"
    first = run(look(contexts, client))
    (tree,) = tmp_path.glob("*/tree")
    client.content = None
    (tree / "f").unlink()  # nobody does that; only who looks can tell
    assert run(look(contexts, client)) == first


def test_a_listing_that_nobody_made_is_not_believed(tmp_path: Path) -> None:
    """The second sync changed a file and nobody listed it; the third changed nothing."""
    contexts, client = Contexts(str(tmp_path), lambda _: None, "boot"), Client()
    client.content = "1"
    first = run(look(contexts, client))
    client.content = "2"
    run(look(contexts, client, listing=False))
    client.content = None
    third = run(look(contexts, client))
    assert third != first


def test_a_sync_that_broke_off_leaves_no_listing_that_is_not_true(tmp_path: Path) -> None:
    contexts, client = Contexts(str(tmp_path), lambda _: None, "boot"), Client()
    client.content = "1"
    first = run(look(contexts, client))
    client.content, client.dies = "2", True
    with pytest.raises(ConnectionError):
        run(look(contexts, client))
    client.content = None
    assert run(look(contexts, client)) != first


def test_a_directory_is_free_only_when_nobody_lists_it_any_more(tmp_path: Path) -> None:
    contexts, client = Contexts(str(tmp_path), lambda _: None, "boot"), Client()
    client.content = "1"

    async def ended() -> None:
        async with contexts.opened(client, "context", Selection()) as context:
            waiting = asyncio.ensure_future(context.listing())
            await asyncio.sleep(0)
            waiting.cancel()
        assert context._listing is not None
        assert context._listing.done()

    run(ended())


def test_after_another_boot_nothing_is_believed(tmp_path: Path) -> None:
    client = Client()
    client.content = "1"
    run(look(Contexts(str(tmp_path), lambda _: None, "one"), client))
    client.content = None
    after = run(look(Contexts(str(tmp_path), lambda _: None, "another"), client))
    assert after.files == {}


def test_attributes_decide(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("1")
    found = set()
    for value in (b"1", b"2"):
        os.setxattr(tmp_path / "f", "user.x", value)
        part = Part(0, ("/f",))
        found.add(str(of_listing(listed(str(tmp_path), {}, EVER), part)))
        found.add(f"layers {of_layers([str(tmp_path)], '', part)}")
    assert len(found) == 4


def test_two_builds_at_once_have_a_directory_each(tmp_path: Path) -> None:
    contexts, client = Contexts(str(tmp_path), lambda _: None, "boot"), Client()

    async def both() -> set[str]:
        one = contexts.opened(client, "context", Selection())
        other = contexts.opened(client, "context", Selection())
        async with one as first, other as second:
            assert not contexts.remove_named(Path(first.home).name), "it is in use"
            return {first.path, second.path}

    assert len(run(both())) == 2
    assert run(both()) == {str(path) for path in tmp_path.glob("*/tree")}


EVER = 1 << 62
FILES = {
    "a": File(0o100644, "1"),
    "d": File(0o40755, ""),
    "d/x.c": File(0o100644, "2"),
    "d/y.h": File(0o100644, "3"),
    "l": File(0o120777, "d"),
}


@pytest.mark.parametrize(
    ("pattern", "changed", "differs"),
    [
        ("/", "a", True),
        ("/a", "a", True),
        ("/a", "d/x.c", False),
        ("/d", "d/x.c", True),
        ("/d/*.c", "d/x.c", True),
        ("/d/*.c", "d/y.h", False),
        ("/*/x.c", "d/x.c", True),
        ("/*.c", "d/x.c", False),
        ("/l", "d/x.c", True),
        ("/l/x.c", "d/x.c", True),
        ("/l/x.c", "d/y.h", False),
        ("/l/*.c", "d/x.c", True),
        ("/l/*.c", "d/y.h", False),
        ("/?/x.c", "d/x.c", True),
        ("/[a-c]", "a", True),
        ("/[^a]/x.c", "d/x.c", True),
        ("/\\a", "a", True),
        ("/[ab]", "a", True),
        ("/?", "a", True),
        ("/nothing", "a", False),
    ],
)
def test_what_is_selected_decides(pattern: str, changed: str, differs: bool) -> None:
    part = Part(0, (pattern,), wildcards=True)
    after = {**FILES, changed: File(0o100644, "other")}
    assert (of_listing(Listing(FILES), part) != of_listing(Listing(after), part)) is differs


def test_what_is_excluded_does_not_decide() -> None:
    part = Part(0, ("/d",), ("*.h",))
    after = Listing({**FILES, "d/y.h": File(0o100644, "other")})
    ignore = excluding(part.exclude)
    assert of_listing(Listing(FILES), part, ignore) == of_listing(after, part, ignore)


@pytest.mark.parametrize(
    ("after", "differs"),
    [
        (File(0o100644, "1", stamp=(9, 9, 9, 9)), False),
        (File(0o100755, "1"), True),
        (File(0o120644, "1"), True),
        (File(0o100644, "1", owner="1:1"), True),
    ],
)
def test_of_a_file_all_but_its_times_decides(after: File, differs: bool) -> None:
    part = Part(0, ("/a",))
    changed = Listing({**FILES, "a": after})
    assert (of_listing(Listing(FILES), part) != of_listing(changed, part)) is differs


@pytest.mark.parametrize("pattern", ["/[z-a]x", "/a[]b", "/["])
def test_malformed_patterns_are_named(pattern: str) -> None:
    with pytest.raises(InvalidArgumentError, match="syntax error in pattern"):
        of_listing(Listing(FILES), Part(0, (pattern,), wildcards=True))


def test_what_is_taken_in_again_decides(tmp_path: Path) -> None:
    (tmp_path / "ex" / "d").mkdir(parents=True)
    part = Part(0, ("/ex",), ("d", "!d/keep"))

    def both() -> tuple[str, str]:
        (tmp_path / "ex" / "d" / "other").write_text(os.urandom(4).hex())
        listing, ignore = listed(str(tmp_path), {}, EVER), excluding(part.exclude)
        of_tree = of_layers([str(tmp_path)], "", part, ignore)
        return str(of_listing(listing, part, ignore)), str(of_tree)

    (tmp_path / "ex" / "d" / "keep").write_text("1")
    first = both()
    assert both() == first
    (tmp_path / "ex" / "d" / "keep").write_text("2")
    assert not set(both()) & set(first)


def test_directories_that_come_along_decide_by_themselves() -> None:
    part = Part(0, ("/d/x.c",), parents=("/d",))
    mode = Listing({**FILES, "d": File(0o40700, "")})
    other = Listing({**FILES, "d/y.h": File(0o100644, "other")})
    assert of_listing(Listing(FILES), part) != of_listing(mode, part)
    assert of_listing(Listing(FILES), part) == of_listing(other, part)
    link, linked = {**FILES, "l": File(0o120777, "d")}, Part(0, ("/l/x.c",), parents=("/l",))
    mode = Listing({**link, "d": File(0o40700, "")})
    assert of_listing(Listing(link), linked) != of_listing(mode, linked), "made like what is behind"


def test_links_in_a_circle_lead_nowhere() -> None:
    files = {"a": File(0o120777, "b"), "b": File(0o120777, "a")}
    assert of_listing(Listing(files), Part(0, ("/a",))) == of_listing(Listing({}), Part(0, ("/a",)))


def test_a_directory_is_listed_by_what_its_files_are(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_text("1")
    (tmp_path / "l").symlink_to("/etc/passwd")
    first = listed(str(tmp_path), {}, EVER)
    assert list(first.files) == ["d", "d/f", "l"]
    assert first.files["l"].content == "/etc/passwd"
    known = {**first.files, "d/f": File(first.files["d/f"].mode, "x", "", first.files["d/f"].stamp)}
    assert listed(str(tmp_path), known, EVER).files["d/f"].content == "x", "it was not read again"
    (tmp_path / "d" / "f").write_text("22")
    assert listed(str(tmp_path), known, EVER).files["d/f"].content != "x"


def test_a_file_changed_just_now_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("1")
    changed_ns = (tmp_path / "f").stat().st_ctime_ns
    just_now = listed(str(tmp_path), {}, changed_ns).files
    known = {"f": File(just_now["f"].mode, "x", stamp=just_now["f"].stamp)}
    assert listed(str(tmp_path), known, EVER).files["f"].content == just_now["f"].content != "x"
    assert listed(str(tmp_path), {}, changed_ns + 1).files["f"].stamp != just_now["f"].stamp


def test_of_layers_the_same_decides_as_of_a_directory(tmp_path: Path) -> None:
    for name in ("below", "above"):
        (tmp_path / name / "d").mkdir(parents=True)
        (tmp_path / name / "d" / "x.c").write_text(name)
    (tmp_path / "below" / "d" / "y.h").write_text("only below")
    (tmp_path / "above" / "l").symlink_to("d")
    (tmp_path / "above" / "absolute").symlink_to("/d/x.c")

    def digest(*names: str, pattern: str) -> str:
        directories = [str(tmp_path / name) for name in names]
        return str(of_layers(directories, "", Part(0, (pattern,), wildcards=True)))

    both = ("above", "below")
    assert digest(*both, pattern="/d/x.c") == digest("above", pattern="/d/x.c")
    assert digest(*both, pattern="/d/x.c") != digest("below", pattern="/d/x.c")
    assert digest(*both, pattern="/d/y.h") == digest("below", pattern="/d/y.h")
    assert digest(*both, pattern="/d") != digest("above", pattern="/d")
    assert digest(*both, pattern="/l/x.c") == digest(*both, pattern="/d/x.c")
    assert digest(*both, pattern="/absolute") == digest(*both, pattern="/d/x.c")
    assert digest(*both, pattern="/*/x.c") == digest("above", pattern="/*/x.c")
    assert digest(*both, pattern="/l*/y.h") == digest(*both, pattern="/no/such")
    assert digest(*both, pattern="/no/such") == digest("below", pattern="/no/such")
