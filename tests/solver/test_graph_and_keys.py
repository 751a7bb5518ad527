"""What vertices and cache keys are made of."""

import pytest

from boxship.oci.digest import Digest
from boxship.solver.graph import Graph
from boxship.solver.keys import content_key, parts, recipe_key, unkeyed_inputs
from boxship.solver.operations import (
    BindMount,
    CacheMount,
    Copy,
    Exec,
    FileActions,
    LocalSource,
    MakeDirectory,
)

ONE, OTHER = Digest.of(b"one"), Digest.of(b"other")
CONTEXT = LocalSource("context")


def run(*args: str, **more: object) -> Exec:
    return Exec(args, **more)  # type: ignore[arg-type]


def test_equal_steps_are_one_vertex() -> None:
    graph: Graph[int] = Graph()
    base = graph.add(CONTEXT, name="base")
    first = graph.add(run("make"), [base], name="in one stage")
    second = graph.add(run("make"), [base], name="in another")
    assert first == second
    assert graph[first].name == "in one stage"


@pytest.mark.parametrize(
    "other",
    [run("make", "-j"), run("make", cwd="/x"), run("make", env=("A=b",)), run("make", user="u")],
)
def test_whatever_differs_makes_another_vertex_and_another_key(other: Exec) -> None:
    graph: Graph[int] = Graph()
    assert graph.add(run("make"), name="") != graph.add(other, name="")
    assert recipe_key(run("make"), [ONE]) != recipe_key(other, [ONE])


def test_what_is_to_be_made_anew_is_not_what_was_there() -> None:
    graph: Graph[int] = Graph()
    assert graph.add(run("date"), name="") != graph.add(run("date"), name="", fresh=True)


def test_an_input_has_to_be_there() -> None:
    graph: Graph[int] = Graph()
    with pytest.raises(KeyError):
        graph.add(run("make"), [ONE], name="")


def test_only_what_leads_to_the_target_is_needed() -> None:
    graph: Graph[int] = Graph()
    base = graph.add(CONTEXT, name="base")
    used = graph.add(run("used"), [base], name="")
    graph.add(run("unused"), [base], name="")
    last = graph.add(run("last"), [used], name="")
    assert [vertex.digest for vertex in graph.needed([last])] == [base, used, last]
    assert set(graph.users()[used]) == {last}


def test_keys_by_recipe_and_by_content_are_apart() -> None:
    assert recipe_key(run("make"), [ONE]) != content_key(run("make"), [ONE])


def test_inputs_decide_in_their_order() -> None:
    step = run("make")
    keys = {recipe_key(step, each) for each in ([ONE], [OTHER], [ONE, OTHER], [OTHER, ONE])}
    assert len(keys) == 4


def test_of_what_is_copied_the_selected_files_decide() -> None:
    copy = FileActions((Copy(1, "/src/*.py", "/app", exclude=("x",)), MakeDirectory("/d")))
    whole, files = parts(copy)
    assert whole.whole
    assert (files.input, files.paths, files.exclude) == (1, ("/src/*.py",), ("x",))


def test_a_linked_copy_does_not_know_what_it_is_over() -> None:
    assert [part.input for part in parts(FileActions((Copy(0, "/a", "/b"),), root=None))] == [0]


def test_what_a_cache_begins_with_does_not_decide() -> None:
    step = run("make", mounts=(BindMount("/src", 1, "/a"), CacheMount("/c", "c", input=2)))
    assert [(part.input, part.paths) for part in parts(step)] == [(0, ()), (1, ("/a",))]
    assert unkeyed_inputs(step) == {2}


@pytest.mark.parametrize(
    ("source", "path", "parents"),
    [
        ("/a/b/c", "/a/b/c", ("/a", "/a/b")),
        ("/a/./b/*.c", "/a/b", ("/a",)),
        ("/*/x", "/", ()),
        ("/a", "/a", ()),
    ],
)
def test_parents_that_are_kept_decide(source: str, path: str, parents: tuple[str, ...]) -> None:
    (part,) = parts(FileActions((Copy(0, source, "/", keep_parents=True),), root=None))
    assert (part.paths, part.parents) == ((path,), parents)
