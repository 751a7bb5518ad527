"""Whatever the text, it is a Dockerfile or an error that says where."""

import string

from hypothesis import given
from hypothesis import strategies as st

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.expansion import described, expand
from boxship.dockerfile.instructions import Dockerfile
from boxship.dockerfile.parsing import parse
from boxship.dockerfile.readers.table import INSTRUCTIONS
from boxship.dockerfile.shellwords import Rules, expand_word

PIECES = st.sampled_from(
    [
        *INSTRUCTIONS,
        *("INCLUDE", "from", "AS", "# escape=`\n", "# check=", "# syntax=x\n", "#", "\\\n", "`\n"),
        *("<<EOF", "<<-'A B'", "EOF\n", "EOF", "--mount=type=", "--", "--from=", "[", '["a"', "]"),
        *('"', "'", "$", "${", "}", ":-", "//", "=", "a=b", "NONE", "CMD", ",", "cache", "secret"),
        *("\n", "\n\n", " ", "\t", "\r\n", "\ufeff", "\x00", "\x1c", "\x85", "é", "\ud7ff"),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=30).map(" ".join)


def check(found: Dockerfile) -> None:
    """Every place is within the text, and every instruction can be expanded or says why not."""
    last = found.text.count("\n") + 1
    for stage in found.stages:
        for one in (stage.start, *stage.instructions):
            assert 1 <= one.where.line_start <= one.where.line_end <= last
            described(one, {"a": "1"})
            try:
                expand(one, {"a": "1"}, found.directives.escape)
            except DockerfileError as error:
                assert error.where == one.where


@given(TEXTS)
def test_pieces_of_dockerfiles(text: str) -> None:
    try:
        found = parse(f"FROM a\n{text}")
    except DockerfileError:
        return
    check(found)


@given(st.binary(max_size=60))
def test_bytes(data: bytes) -> None:
    try:
        parse(data)
    except DockerfileError:
        return


@given(st.text(alphabet="ab${}:-+?#%/*\\'\" `", max_size=20), st.booleans())
def test_words(text: str, quotes: bool) -> None:
    try:
        expand_word(text, {"a": "b*", "b": "a/b"}, Rules(quotes=quotes))
    except DockerfileError:
        return


@given(st.text(alphabet=string.ascii_letters + " .,-", max_size=30))
def test_plain_text_stays_what_it_is(text: str) -> None:
    assert expand_word(text, {}).text == text


def test_depth_ends_at_worst_with_an_error() -> None:
    for text in ("${a:-" * 5000, "[" * 100_000, '"' * 99_999):
        try:
            expand_word(text, {})
            parse(f"FROM a\nCMD {text}")
        except DockerfileError as error:
            assert len(str(error)) < 200_000
