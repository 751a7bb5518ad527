"""Dockerfiles become graphs and configs: what each instruction adds, and what is not needed."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxship.base.errors import BoxshipError
from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.parsing import parse
from boxship.dockerfile.places import Range
from boxship.engine.build.planning.filesteps import git_source
from boxship.engine.build.planning.plan import plan
from boxship.engine.build.planning.wish import BaseImage, Missing, Plan, Wish
from boxship.engine.build.requests import ClientDirectory, ImageContext
from boxship.oci.digest import Digest
from boxship.oci.image import Image, ImageConfig
from boxship.oci.platform import Platform
from boxship.solver.graph import Graph
from boxship.solver.operations import (
    Copy,
    Exec,
    FileActions,
    GitSource,
    HttpSource,
    ImageSource,
    MakeFile,
    Merge,
)

AMD64 = Platform("linux", "amd64")
LAYER = Digest.of(b"layer")


def image(**config: object) -> Image:
    return Image(architecture="amd64", os="linux", config=ImageConfig(**config))  # type: ignore[arg-type]


def planned(
    text: str, images: dict[str, Image] | None = None, **wish: object
) -> tuple[Plan, Graph[Range]]:
    """Plan with base images by name; all others have an empty config."""
    found: dict[tuple[str, str, str], BaseImage] = {}
    wanted = Wish(AMD64, AMD64, context=ClientDirectory("context"), **wish)  # type: ignore[arg-type]
    while True:
        outcome = plan(parse(text), wanted, found, Graph())
        if not isinstance(outcome, Missing):
            return outcome
        for need in outcome.images:
            config = (images or {}).get(need.reference, image())
            base = BaseImage(need.reference, config, (LAYER,))
            found["", need.reference, str(need.platform)] = base


def steps(graph: Graph[Range], target: Digest | None) -> list[str]:
    return [vertex.name for vertex in graph.needed([target] if target else [])]


def runs(graph: Graph[Range]) -> list[Exec]:
    return [v.operation for v in graph if isinstance(v.operation, Exec)]


def test_a_stage_is_a_chain_of_numbered_steps() -> None:
    done, graph = planned("FROM busybox\nENV a=b\nRUN one\nCOPY x /x\nRUN two\n")
    assert steps(graph, done.tree) == [
        "[1/4] FROM busybox",
        "[2/4] RUN one",
        "[internal] load build context",
        "[3/4] COPY x /x",
        "[4/4] RUN two",
    ]
    assert [step.number for step in done.steps] == [1, 2, 3, 4, 5]
    assert [step.vertex is None for step in done.steps] == [False, True, False, False, False]


def test_what_leads_nowhere_is_not_in_the_graph() -> None:
    text = "FROM a AS one\nRUN 1\nFROM b AS two\nRUN 2\nFROM c\nCOPY --from=one /x /x\n"
    _, graph = planned(text)
    assert [run.args[-1] for run in runs(graph)] == ["1"]


def test_an_image_that_is_copied_from_before_it_is_a_base_stays_before_its_users() -> None:
    _, graph = planned("FROM a AS x\nCOPY --from=b /1 /1\nFROM b\nCOPY --from=x /1 /1\n")
    seen = set()
    for vertex in graph:
        assert set(vertex.inputs) <= seen
        seen.add(vertex.digest)
    assert "[stage-1 1/2] FROM b" in [vertex.name for vertex in graph]


def test_ever_more_stages_are_an_error_and_no_crash() -> None:
    text = "FROM a AS s0\n" + "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(2000))
    with pytest.raises(DockerfileError, match="too many stages"):
        planned(text)


def test_stages_are_known_by_name_and_number_and_a_target_ends_it() -> None:
    text = "FROM a AS one\nRUN 1\nFROM one\nRUN 2\nFROM 0 AS three\nRUN 3\n"
    done, graph = planned(text, target="three")
    assert [run.args[-1] for run in runs(graph)] == ["1", "3"]
    assert done.stage == "three"
    _, graph = planned(text, target="1")
    assert [run.args[-1] for run in runs(graph)] == ["1", "2"]


def test_equal_beginnings_of_stages_are_one() -> None:
    text = "FROM a AS x\nRUN same\nRUN 1\nFROM a\nRUN same\nCOPY --from=x / /x\n"
    _, graph = planned(text)
    assert [run.args[-1] for run in runs(graph)] == ["same", "1"]


def test_arguments_and_environment() -> None:
    text = (
        "ARG base=busybox\nARG v=1\nFROM $base\nARG v\nARG w=2\nARG x\nENV w=3 y=$v\nRUN echo\n"
        "WORKDIR /a/$y\n"
    )
    done, graph = planned(text, build_args={"v": "7", "x": "8", "unknown": "9", "http_proxy": "p"})
    (run,) = runs(graph)
    assert set(run.env) >= {"v=7", "x=8", "w=3", "y=7"}
    assert not [item for item in run.env if item.startswith(("http_proxy", "unknown"))]
    assert done.config.env == ("w=3", "y=7")
    assert done.config.working_dir == "/a/7"
    assert done.unused_args == ("unknown",)
    assert "|3 v=7 w=3 x=8 /bin/sh -c echo" in done.history[-2].created_by


def test_a_base_image_brings_its_config_and_its_triggers() -> None:
    base = image(env=("A=1",), user="u", working_dir="/w", on_build=("RUN trigger", "ENV B=$A"))
    done, graph = planned("FROM base\nRUN own\n", {"base": base})
    assert [run.args[-1] for run in runs(graph)] == ["trigger", "own"]
    assert done.config.env == ("A=1", "B=1")
    assert done.config.on_build is None
    assert runs(graph)[1].user == "u"
    assert runs(graph)[1].cwd == "/w"


def test_entrypoint_takes_an_inherited_command_away_but_not_ones_own() -> None:
    base = image(cmd=("old",))
    assert planned('FROM b\nENTRYPOINT ["e"]\n', {"b": base})[0].config.cmd is None
    text = 'FROM b\nCMD ["own"]\nENTRYPOINT ["e"]\n'
    assert planned(text, {"b": base})[0].config.cmd == ("own",)


def test_a_shell_of_ones_own() -> None:
    done, graph = planned('FROM b\nSHELL ["/bin/bash", "-c"]\nRUN x\nCMD y\n')
    assert runs(graph)[0].args == ("/bin/bash", "-c", "x")
    assert done.config.cmd == ("/bin/bash", "-c", "y")


def test_a_linked_copy_is_made_over_nothing_and_laid_on_top() -> None:
    done, graph = planned("FROM b\nCOPY --link x /x\nRUN y\n")
    copies = [v for v in graph if isinstance(v.operation, FileActions)]
    assert [v.operation.root for v in copies if isinstance(v.operation, FileActions)] == [None]
    (merge,) = [v for v in graph if isinstance(v.operation, Merge)]
    assert merge.inputs[1] == copies[0].digest
    assert done.tree is not None
    assert graph[done.tree].inputs == (merge.digest,)


@pytest.mark.parametrize(
    ("line", "source", "destination", "into"),
    [
        ("COPY a /b", "/a", "/b", False),
        ("COPY a b/", "/a", "/w/b", True),
        ("COPY . .", "/", "/w", True),
        ("COPY a b c", "/a", "/w/c", False),
        ("COPY ../a /b", "/a", "/b", False),
        ("COPY /a/./b/ /b", "/a/b", "/b", False),
    ],
)
def test_paths_of_copies(line: str, source: str, destination: str, into: bool) -> None:
    _, graph = planned(f"FROM b\nWORKDIR /w\n{line}\n")
    actions = [v.operation.actions[0] for v in graph if isinstance(v.operation, FileActions)]
    copy = actions[-1]
    assert isinstance(copy, Copy)
    assert (copy.source, copy.destination, copy.into_directory) == (source, destination, into)


def test_what_is_fetched_is_shown_without_passwords() -> None:
    _, graph = planned("FROM b\nADD https://me:secret@host/x /x\nADD https://t@h/x.git#r:d /y\n")
    names = [v.name for v in graph if isinstance(v.operation, HttpSource | GitSource)]
    assert names == ["https://host/x", "https://h/x.git#r:d"]


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("https://h/x.git#v1:sub/dir", ("https://h/x.git", "v1", "sub/dir", False)),
        ("git@h:a/b.git", ("git@h:a/b.git", "", "", False)),
        ("https://h/x.git?tag=v2&subdir=s&keep-git-dir=1", ("https://h/x.git", "v2", "s", True)),
        ("https://h/x.git?branch=b&commit=abc", ("https://h/x.git", "abc", "", False)),
    ],
)
def test_addresses_of_git(address: str, parts: tuple[str, str, str, bool]) -> None:
    found = git_source(address)
    assert (found.remote, found.ref, found.subdirectory, found.keep_git_directory) == parts


def test_named_contexts_go_before_images_and_stages() -> None:
    text = "FROM b\nCOPY --from=x /a /a\n"
    _, graph = planned(text, contexts={"x": ImageContext("other"), "b": ImageContext("mine")})
    names = {v.operation.reference for v in graph if isinstance(v.operation, ImageSource)}
    assert names == {"b", "other"}


def test_fresh_stages_have_fresh_steps() -> None:
    text = "FROM b AS one\nRUN 1\nFROM one AS two\nRUN 2\n"
    _, graph = planned(text, fresh_stages=frozenset({"two"}))
    assert [v.fresh for v in graph if isinstance(v.operation, Exec)] == [False, True]


@pytest.mark.parametrize(
    ("text", "wish", "said"),
    [
        ("FROM b\n", {"target": "x"}, 'target stage "x" could not be found'),
        ("FROM b\n", {"target": "x", "classic": True}, "failed to reach build target x"),
        ("ARG x\nFROM $x\n", {}, "base name is empty"),
        ("FROM B:x:y\n", {}, "invalid reference format"),
        ("FROM b AS x\nCOPY --from=1 a b\nFROM x\n", {}, "only stages above"),
        ("FROM b\nCOPY ../a b\n", {"classic": True}, "outside the build context: ../a"),
        ("FROM b\nCOPY a b c\n", {"classic": True}, "must be a directory and end with a /"),
        ("FROM b\nRUN --security=insecure x\n", {}, "security.insecure is not allowed"),
        ("FROM --platform=not/a/real/one b\n", {}, "failed to parse platform"),
    ],
)
def test_what_cannot_be_planned(text: str, wish: dict[str, object], said: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        planned(text, **wish)
    assert said in str(caught.value)


def test_files_of_heredocs_have_their_names_in_a_directory() -> None:
    text = "FROM a\nCOPY <<ONE <<TWO /several\n1\nONE\n2\nTWO\nCOPY <<ONE /one\n1\nONE\n"
    _, graph = planned(text)
    made = [v.operation.actions for v in graph if isinstance(v.operation, FileActions)]
    assert [
        (each.path, each.into_directory)
        for each in (*made[0], *made[1])
        if isinstance(each, MakeFile)
    ] == [("/several/", "ONE"), ("/several/", "TWO"), ("/one", "ONE")]


LINES = [
    "FROM busybox",
    "FROM busybox AS a",
    "FROM a",
    "FROM scratch",
    "FROM $X",
    "ARG X",
    "ARG X=1",
    "ARG Y=${X:-z}",
    "ENV A=b",
    "ENV A $X",
    "RUN x",
    "RUN --mount=type=cache,target=/c x",
    "RUN --mount=from=a,target=/b x",
    "RUN --mount=from=0,target=b x",
    "RUN --mount=type=secret,id=s x",
    "RUN --mount=type=ssh x",
    "RUN --network=none x",
    "RUN <<EOF\n#!/bin/x\nEOF",
    "RUN <<EOF\nx\nEOF",
    "COPY a b",
    "COPY --from=a x y",
    "COPY --from=1 x y",
    "COPY --from=nobody/x a b",
    "COPY --link a b",
    "COPY --parents a/./b /c",
    "COPY . .",
    "COPY --chown=$A a b",
    "COPY <<a <<b /x/\n1\na\n2\nb",
    "ADD http://x/y /z",
    "ADD http://x/ /z/",
    "ADD https://g/h.git#r:d /x",
    "ADD git@h:x/y.git /z",
    "CMD x",
    "ENTRYPOINT []",
    "EXPOSE $X",
    "VOLUME /a",
    "WORKDIR /",
    "WORKDIR $X",
    "USER $X",
    "STOPSIGNAL $X",
    "HEALTHCHECK NONE",
    'SHELL ["x"]',
    "LABEL a=b",
    "MAINTAINER x",
    "ONBUILD RUN x",
    "COPY ../../x /",
    "WORKDIR ..",
    "ENV PATH=",
]


@given(
    st.lists(st.sampled_from(LINES), max_size=8),
    st.sampled_from(["", "a", "1", "none"]),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_whatever_is_asked_for_is_planned_or_refused(
    lines: list[str], target: str, classic: bool
) -> None:
    base = image(on_build=("RUN t", "COPY x y"), env=("A=1",), user="u")
    text = "\n".join(["FROM busybox AS a", *lines]) + "\n"
    with suppress(BoxshipError):
        done, graph = planned(text, {"busybox": base}, target=target, classic=classic)
        made = [item.vertex for item in done.history if item.vertex is not None]
        needed = {v.digest for v in graph.needed([done.tree] if done.tree else [])}
        assert set(made) <= needed


def test_a_device_may_be_optional() -> None:
    text = "FROM a\nRUN --device=v.com/c=one --device=v.com/c=two,required=false x\n"
    _, graph = planned(text, entitlements=frozenset({"device"}))
    assert runs(graph)[0].devices == ("v.com/c=one",)
    assert runs(graph)[0].optional_devices == ("v.com/c=two",)
