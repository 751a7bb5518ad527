"""A whole Dockerfile becomes the instructions one expects."""

import pytest

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.instructions import (
    Add,
    Cmd,
    Copy,
    Env,
    ExecForm,
    Heredoc,
    Onbuild,
    Pair,
    Run,
    Script,
    ShellForm,
)
from boxship.dockerfile.parsing import parse
from boxship.dockerfile.places import Range

TEXT = """\
# syntax=docker/dockerfile:1
ARG V=12
# base is what the rest stands on
FROM --platform=$BUILDPLATFORM debian:$V AS Base
ENV A=b C="d e" \\
    # a comment

    X=y
RUN --network=none <<-EOF
\techo hi
\tEOF
RUN cat <<A <<"B" && true
one
A
two
B
COPY --chmod=755 <<one <<'two' src /dst/
1
one
2
two
FROM base
ADD ["a b", "c"]
ONBUILD RUN cat <<E
hi
E
CMD ["a", "b"]
"""


def test_instructions_are_what_was_written() -> None:
    found = parse(TEXT)
    assert [one.definitions[0].default for one in found.arguments] == ["12"]
    first, second = found.stages
    assert (first.name, first.start.base, second.start.base) == ("base", "debian:$V", "base")
    assert first.start.comment == "is what the rest stands on"
    assert first.instructions == (
        Env(
            pairs=(Pair("A", "b"), Pair("C", '"d e"'), Pair("X", "y")),
            where=Range(5, 8),
            code='ENV A=b C="d e"     X=y',
        ),
        Run(
            command=Script("EOF", "echo hi\n"),
            network="none",
            where=Range(9, 11),
            code="RUN --network=none <<-EOF",
        ),
        Run(
            command=ShellForm('cat <<A <<"B" && true\none\nA\ntwo\nB'),
            where=Range(12, 16),
            code='RUN cat <<A <<"B" && true',
        ),
        Copy(
            sources=("src",),
            contents=(Heredoc("one", "1\n"), Heredoc("two", "2\n", expand=False)),
            destination="/dst/",
            chmod="755",
            where=Range(17, 21),
            code="COPY --chmod=755 <<one <<'two' src /dst/",
        ),
    )
    assert second.instructions == (
        Add(sources=("a b",), destination="c", where=Range(23, 23), code='ADD ["a b", "c"]'),
        Onbuild(trigger="RUN cat <<E\nhi\nE", where=Range(24, 26), code="ONBUILD RUN cat <<E"),
        Cmd(command=ExecForm(("a", "b")), where=Range(27, 27), code='CMD ["a", "b"]'),
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("WORKDIR /a\0b", "WORKDIR has a NUL in it"),
        ('COPY ["a", "/b\\u0000"]', "COPY has a NUL in it"),
        ("COPY --chown=\0 a b", "COPY has a NUL in it"),
        ("RUN <<E\necho \0\nE", "RUN has a NUL in it"),
        ("ONBUILD ENV A=\0", "ONBUILD has a NUL in it"),
        (f"RUN --mount=type=tmpfs,target=/t,size={1 << 63} x", f"size: {1 << 63}"),
        ("HEALTHCHECK --interval=9999999999999h CMD x", "invalid duration"),
    ],
)
def test_what_no_system_has_is_refused_with_its_line(line: str, problem: str) -> None:
    with pytest.raises(DockerfileError, match="line 2: ") as caught:
        parse(f"FROM a\n{line}\n")
    assert problem in str(caught.value)


def test_files_of_a_dockerfile_may_have_any_bytes() -> None:
    (copy,) = parse("FROM a\nCOPY <<E /b\nx\0y\nE\n").stages[0].instructions
    assert isinstance(copy, Copy)
    assert copy.contents[0].content == "x\0y\n"
