"""INCLUDE puts another file's instructions in its place; errors name that file."""

import pytest

from boxship.dockerfile.errors import DockerfileError, IncludesWantedError
from boxship.dockerfile.instructions import Copy, Heredoc, Run, ShellForm
from boxship.dockerfile.parsing import parse
from boxship.dockerfile.places import Range


def test_instructions_of_another_file_come_in_its_place() -> None:
    text = "FROM a\nINCLUDE parts/tools\nRUN last\n"
    tools = "# escape=`\nRUN one `\n two\nINCLUDE ../more\n"
    more = "COPY <<E /x\nhi\nE\nFROM b\n"
    found = parse(
        text, "docker/Dockerfile", included={"docker/parts/tools": tools, "docker/more": more}
    )
    first, second = found.stages
    assert first.instructions == (
        Run(
            command=ShellForm("one  two"),
            where=Range(2, 3, "docker/parts/tools"),
            code="RUN one  two",
        ),
        Copy(
            contents=(Heredoc("E", "hi\n"),),
            destination="/x",
            where=Range(1, 3, "docker/more"),
            code="COPY <<E /x",
        ),
    )
    assert second.instructions[0].where == Range(3, 3)
    assert found.files == (("docker/parts/tools", tools), ("docker/more", more))


def test_files_that_are_missing_are_asked_for_together() -> None:
    with pytest.raises(IncludesWantedError) as raised:
        parse("FROM a\nINCLUDE x\nINCLUDE y/z\nINCLUDE x\n")
    assert raised.value.names == ("x", "y/z")
    assert raised.value.where == Range(2, 2)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("INCLUDE ../x", "is not within the directory"),
        ("INCLUDE /etc/passwd", "is not within the directory"),
        ("INCLUDE Dockerfile", "goes in a circle"),
        ("INCLUDE", "exactly one argument"),
        ("INCLUDE a b", "exactly one argument"),
        ("ONBUILD INCLUDE a", "isn't allowed as an ONBUILD trigger"),
    ],
)
def test_what_cannot_be_included(line: str, problem: str) -> None:
    with pytest.raises(DockerfileError, match=problem) as raised:
        parse(f"FROM a\n{line}\n")
    assert raised.value.where == Range(2, 2)


def test_depth_has_an_end() -> None:
    files = {str(number): f"INCLUDE {number + 1}\n" for number in range(30)}
    with pytest.raises(DockerfileError, match="16 deep"):
        parse("FROM a\nINCLUDE 0\n", included=files)


def test_an_error_names_the_file_it_is_in() -> None:
    with pytest.raises(DockerfileError) as raised:
        parse("FROM a\nINCLUDE x\n", included={"x": "RUN true\nFOO\n"})
    assert str(raised.value) == "dockerfile parse error on x line 2: unknown instruction: FOO"
    assert raised.value.shown_in("RUN true\nFOO\n").startswith("x:2\n")
