"""Words with quotes, escapes and variables, as instructions other than RUN and CMD read them.

Close to a shell's rules, and where it differs (quotes inside words, ``\\`` before other characters,
no command substitution) it is BuildKit's difference. Forms of a variable:

====================================  =========================================================
``$name`` ``${name}``                 its value, empty if unset
``${name-word}`` ``${name:-word}``    ``word`` if unset; with the colon also if empty
``${name+word}`` ``${name:+word}``    ``word`` if set; with the colon only if not empty
``${name?word}`` ``${name:?word}``    an error with ``word`` if unset; with the colon also if empty
``${name#pattern}`` ``##``            without the shortest, longest beginning that matches
``${name%pattern}`` ``%%``            without the shortest, longest end that matches
``${name/pattern/word}`` ``//``       with the first match, with all matches replaced
====================================  =========================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from boxship.dockerfile.errors import ExpansionError
from boxship.dockerfile.patterns import PatternError, replaced, without_prefix, without_suffix

_SPECIAL = frozenset("@*#?-$!0")
WHITESPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""What counts as space. Python's own idea has four control characters more."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """A word with its variables replaced: as one text, and split at unquoted spaces.

    ``used`` and ``missing`` are names of variables that were asked for: set, and not set. Who
    says what is to happen without one (``${name:-word}``) does not miss it.
    """

    text: str
    words: tuple[str, ...]
    used: frozenset[str]
    missing: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rules:
    """How a word is read.

    ``escape`` is the escape character. ``keep_quotes`` and ``keep_escapes`` leave these characters
    in the result, ``quotes`` false means that they are nothing special, and ``keep_unset`` leaves
    references to unset variables as they are.
    """

    escape: str = "\\"
    keep_quotes: bool = False
    keep_escapes: bool = False
    quotes: bool = True
    keep_unset: bool = False


def expand_word(text: str, variables: Mapping[str, str], rules: Rules | None = None) -> Expanded:
    """Replace the variables of ``text``; raise :class:`ExpansionError` if one is malformed."""
    lexer = _Lexer(text, variables, rules or Rules())
    try:
        result, words = lexer.until("", keep_escapes=lexer.rules.keep_escapes)
    except (_SyntaxError, PatternError) as error:
        raise ExpansionError(f'failed to process "{text}": {error}') from None
    except RecursionError:
        raise ExpansionError(f'failed to process "{text[:40]}…": nested too deeply') from None
    return Expanded(result, words, frozenset(lexer.used), frozenset(lexer.missing))


class _SyntaxError(Exception):
    """The message says what is wrong, without the word it is in."""


@dataclass(slots=True)
class _Words:
    """Collects words: spaces that come one by one separate them, whole texts don't."""

    done: list[str] = field(default_factory=list)
    current: str = ""

    def split(self, text: str) -> None:
        for character in text:
            if character not in WHITESPACE:
                self.current += character
            elif self.current:
                self.done.append(self.current)
                self.current = ""

    def keep(self, text: str) -> None:
        self.current += text

    def all(self) -> tuple[str, ...]:
        return tuple([*self.done, self.current] if self.current else self.done)


class _Lexer:
    """A cursor over one text. Every method leaves it behind what it has read."""

    def __init__(self, text: str, variables: Mapping[str, str], rules: Rules) -> None:
        self.text, self.position = text, 0
        self.variables, self.rules = variables, rules
        self.used: set[str] = set()
        self.missing: set[str] = set()
        self._keep_escapes = rules.keep_escapes

    def until(self, stop: str, *, keep_escapes: bool) -> tuple[str, tuple[str, ...]]:
        """Read to ``stop``, which is skipped, or to the end if it is empty."""
        before, self._keep_escapes = self._keep_escapes, keep_escapes
        try:
            return self._until(stop)
        finally:
            self._keep_escapes = before

    def _until(self, stop: str) -> tuple[str, tuple[str, ...]]:
        result: list[str] = []
        words = _Words()
        while (character := self._peek()) and character != stop:
            if character == "$":
                piece = self._dollar()
                words.split(piece)
            elif character in "'\"" and self.rules.quotes:
                piece = self._single_quoted() if character == "'" else self._double_quoted()
                words.keep(piece)
            elif character == self.rules.escape:
                piece = self._escaped()
                words.keep(piece)
            else:
                piece = self._next()
                words.split(piece)
            result.append(piece)
        if stop and not self._next():
            raise _SyntaxError(f"unexpected end of statement while looking for matching {stop}")
        return "".join(result), words.all()

    def _peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def _next(self) -> str:
        character = self._peek()
        self.position += 1
        return character

    def _escaped(self) -> str:
        escape = self._next()
        following = self._next()
        return escape + following if self._keep_escapes else following

    def _single_quoted(self) -> str:
        """Everything up to the next one, as it is."""
        end = self.text.find("'", self.position + 1)
        if end < 0:
            raise _SyntaxError(
                "unexpected end of statement while looking for matching single-quote"
            )
        kept = 0 if self.rules.keep_quotes else 1
        piece = self.text[self.position + kept : end + 1 - kept]
        self.position = end + 1
        return piece

    def _double_quoted(self) -> str:
        """Everything up to the next one; variables are replaced; ``"`` and ``$`` can be escaped."""
        quote = self._next() if self.rules.keep_quotes else self._next()[:0]
        result = [quote]
        while (character := self._peek()) != '"':
            if not character:
                raise _SyntaxError(
                    "unexpected end of statement while looking for matching double-quote"
                )
            if character == "$":
                result.append(self._dollar())
            elif character == self.rules.escape:
                result.append(self._escaped_in_quotes())
            else:
                result.append(self._next())
        self._next()
        return "".join([*result, quote])

    def _escaped_in_quotes(self) -> str:
        escape = self._next()
        kept = escape if self._keep_escapes else ""
        following = self._peek()
        if not following:
            return kept
        return kept + (self._next() if following in ('"', "$", escape) else escape)

    def _dollar(self) -> str:
        self._next()
        if self._peek() != "{":
            name = self._name()
            if not name:
                return "$"
            value = self._value(name)
            return f"${name}" if value is None and self.rules.keep_unset else value or ""
        self._next()
        if not self._peek():
            raise _SyntaxError("syntax error: missing '}'")
        if self._peek() in "{}:":
            raise _SyntaxError("syntax error: bad substitution")
        return self._braced(self._name())

    def _braced(self, name: str) -> str:
        """Read what follows ``${name``."""
        operator = self._next()
        if operator == ":":
            operator += self._next()
        if operator == "}":
            value = self._value(name)
            return f"${{{name}}}" if value is None and self.rules.keep_unset else value or ""
        if operator == "/":
            return self._replacement(name)
        if operator in ("#", "%"):
            return self._trimmed(name, operator)
        if operator in ("-", ":-", "+", ":+", "?", ":?"):
            return self._conditional(name, operator)
        raise _SyntaxError(f"unsupported modifier ({operator}) in substitution")

    def _conditional(self, name: str, operator: str) -> str:
        word = self._argument("}", keep_escapes=False)
        value = self.variables.get(name)
        if value is not None:
            self.used.add(name)
        if value is None and self.rules.keep_unset:
            return f"${{{name}{operator}{word}}}"
        absent = not value if operator[0] == ":" else value is None
        if operator[-1] == "-":
            return word if absent else value or ""
        if operator[-1] == "+":
            return "" if absent else word
        if absent:
            state = "unset" if value is None else "empty"
            raise _SyntaxError(f"{name}: {word or f'is not allowed to be {state}'}")
        return value or ""

    def _trimmed(self, name: str, operator: str) -> str:
        pattern = self._argument("}", keep_escapes=True)
        value = self._value(name)
        if value is None and self.rules.keep_unset:
            return f"${{{name}{operator}{pattern}}}"
        greedy = pattern.startswith(operator)
        trim = without_prefix if operator == "#" else without_suffix
        return trim(value or "", pattern[1:] if greedy else pattern, greedy=greedy)

    def _replacement(self, name: str) -> str:
        every = self._peek() == "/"
        if every:
            self._next()
        pattern = self._argument("/", keep_escapes=True)
        word = self._argument("}", keep_escapes=True)
        value = self._value(name)
        if value is None and self.rules.keep_unset:
            return f"${{{name}/{'/' * every}{pattern}/{word}}}"
        return replaced(value or "", pattern, word, every=every)

    def _argument(self, stop: str, *, keep_escapes: bool) -> str:
        try:
            return self.until(stop, keep_escapes=keep_escapes)[0]
        except _SyntaxError:
            if self._peek():
                raise
            what = "missing '/' in ${}" if stop == "/" else "missing '}'"
            raise _SyntaxError(f"syntax error: {what}") from None

    def _name(self) -> str:
        """Read a name: letters, digits, ``_``; or only digits; or one special parameter."""
        start = self.position
        if self._peek().isdigit():
            while self._peek().isdigit():
                self.position += 1
        elif self._peek() in _SPECIAL:
            self.position += 1
        else:
            while (character := self._peek()) and (character.isalnum() or character == "_"):
                self.position += 1
        return self.text[start : self.position]

    def _value(self, name: str) -> str | None:
        value = self.variables.get(name)
        (self.missing if value is None else self.used).add(name)
        return value
