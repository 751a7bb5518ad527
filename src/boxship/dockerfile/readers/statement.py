"""A statement: what all readers of instructions are given, and what they share."""

import json
import re
from dataclasses import dataclass

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.instructions import Heredoc
from boxship.dockerfile.places import Range
from boxship.dockerfile.shellwords import WHITESPACE

_SPACES = re.compile(r"[\t\v\f\r ]+")


@dataclass(frozen=True, slots=True)
class Statement:
    """A logical line. ``keyword`` is the instruction's name as written, ``rest`` what follows it
    and its options ``flags``.

    ``code`` is the whole line; ``comments`` are those directly above.
    """

    keyword: str
    flags: list[str]
    rest: str
    code: str
    where: Range
    escape: str = "\\"
    comments: tuple[str, ...] = ()
    heredocs: tuple[Heredoc, ...] = ()

    @property
    def name(self) -> str:
        """The instruction's name in upper case."""
        return self.keyword.upper()

    def at_least_one(self, arguments: list[str]) -> list[str]:
        """Return ``arguments``; raise DockerfileError if there are none."""
        if not arguments:
            raise DockerfileError(f"{self.name} requires at least one argument")
        return arguments

    def exactly_one(self) -> str:
        """Return the rest; raise DockerfileError if it is empty."""
        if not self.rest:
            raise DockerfileError(f"{self.name} requires exactly one argument")
        return self.rest


def json_list(text: str) -> list[str] | None:
    """Return the texts of a JSON list; ``None`` if ``text`` is no JSON list.

    A list of anything else than texts is an error, for it can't have been meant as a command.
    """
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(one, str) for one in found):
        raise DockerfileError(
            "when using JSON array syntax, arrays must be comprised of strings only"
        )
    # JSON can name half of a surrogate pair, which is no text that could be written anywhere.
    return [one.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for one in found]


def spaced(text: str) -> list[str]:
    """Split at spaces, whatever quotes there are."""
    return _SPACES.split(text) if text else []


def listed(text: str) -> list[str]:
    """Return the elements of a JSON list, or else words between spaces."""
    found = json_list(text)
    return spaced(text) if found is None else found


def quoted_words(text: str, escape: str) -> list[str]:
    """Split at spaces that are neither quoted nor escaped; quotes and escapes stay."""
    words, word, quote, at = [], "", "", 0
    while at < len(text):
        character = text[at]
        at += 1
        if not quote and character in WHITESPACE:
            if word:
                words.append(word)
            word = ""
            continue
        if character == escape and quote != "'":
            if at == len(text):
                break
            character += text[at]
            at += 1
        elif character == quote:
            quote = ""
        elif not quote and character in "'\"":
            quote = character
        word += character
    return [*words, word] if word else words


def description(comments: tuple[str, ...], name: str) -> str:
    """Return what a comment ``# name text`` above says about ``name``."""
    for comment in comments:
        if comment.startswith(f"{name} "):
            return comment.removeprefix(name).strip()
    return ""
