"""What a Dockerfile offers."""

import pytest

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.outline import Parameter, find_stage, outline, targets
from boxship.dockerfile.parsing import parse
from boxship.dockerfile.places import Range

READ = parse("""\
# V of the base
ARG V=1
FROM a:$V AS one
RUN --mount=type=secret,id=s1 --mount=type=cache,target=/c x
FROM b AS other
RUN --mount=type=secret,id=s2 x
# two is the one
FROM one AS two
ARG W
RUN --mount=type=ssh,required --mount=from=0,target=/m x
FROM scratch
COPY --from=TWO / /
""")


def test_targets() -> None:
    found = targets(READ)
    assert [(one.name, one.base, one.default) for one in found] == [
        ("one", "a:$V", False),
        ("other", "b", False),
        ("two", "one", False),
        ("", "scratch", True),
    ]
    assert found[2].description == "is the one"


def test_outline_is_about_the_stages_that_are_needed() -> None:
    found = outline(READ)
    assert found.arguments == (
        Parameter("V", "of the base", "1", where=Range(2, 2)),
        Parameter("W", where=Range(9, 9)),
    )
    assert [one.name for one in found.secrets] == ["s1"]
    assert found.ssh == (Parameter("default", required=True, where=Range(10, 10)),)
    assert [one.name for one in found.caches] == ["/c"]
    assert [one.name for one in outline(READ, "other").secrets] == ["s2"]


def test_what_only_other_stages_need_is_not_needed() -> None:
    text = "FROM x AS a\nARG A\nFROM x AS b\nARG B\nCOPY --from=a / /\nFROM x AS c\nARG C\n"
    assert [one.name for one in outline(parse(text), "c").arguments] == ["C"]
    assert [one.name for one in outline(parse(text), "b").arguments] == ["A", "B"]


def test_stages_by_name_and_number() -> None:
    assert find_stage(READ, "Two").index == 2
    assert find_stage(READ, "1").name == "other"
    with pytest.raises(DockerfileError, match=r'"tow" could not be found \(did you mean two\?\)'):
        find_stage(READ, "tow")
