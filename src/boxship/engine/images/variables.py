"""Variables in a Dockerfile line: ``$NAME``, ``${NAME}``, ``${NAME:-else}``, ``${NAME:+instead}``.

Single quotes and a backslash keep a dollar what it is. Pure.
"""

import re
from collections.abc import Iterable

_TOKEN = re.compile(
    r"(?P<kept>'[^']*')|(?P<escaped>\\.)|(?P<quote>\")|\$(?P<name>\w+)"
    r"|\$\{(?P<braced>\w+)(?::(?P<operator>[-+])(?P<word>[^}]*))?\}",
    re.DOTALL,
)


def expanded(text: str, environment: Iterable[str], *, as_words: bool = False) -> str:
    """Put the values of ``environment`` (``NAME=value``) in; an unknown name is empty.

    ``as_words``: the result will be split as a shell does, and no value must fall apart by that.
    """
    return _Expansion(environment, as_words=as_words).run(text)


class _Expansion:
    def __init__(self, environment: Iterable[str], *, as_words: bool) -> None:
        self._values = dict(item.partition("=")[::2] for item in environment)
        self._as_words = as_words
        self._in_quotes = False

    def run(self, text: str) -> str:
        return _TOKEN.sub(self._replacement, text)

    def _replacement(self, match: "re.Match[str]") -> str:
        if match["quote"]:
            self._in_quotes = not self._in_quotes
            return match[0]
        if match["kept"] and self._in_quotes:  # an apostrophe means nothing there
            return "'" + self.run(match[0][1:])
        if match["kept"] or match["escaped"]:
            # A dollar that is kept loses its backslash; the rest is for the line's own reader.
            return "$" if match["escaped"] == "\\$" else match[0]
        return self._guarded(self._value(match))

    def _value(self, match: "re.Match[str]") -> str:
        found = self._values.get(match["name"] or match["braced"], "")
        if match["operator"] == "-":
            return found or match["word"]
        if match["operator"] == "+":
            return match["word"] if found else ""
        return found

    def _guarded(self, value: str) -> str:
        if not self._as_words:
            return value
        return re.sub(r'([\\"])' if self._in_quotes else r"([^\w])", r"\\\1", value)
