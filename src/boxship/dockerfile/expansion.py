"""Variables of instructions: which of their values have them, and how each is replaced.

========================  ===========================================================
replaced                  ADD, COPY (paths, owners, modes, patterns, contents of heredocs), ARG,
                          ENV, EXPOSE, FROM, LABEL, RUN (values of ``--mount``), STOPSIGNAL,
                          USER, VOLUME, WORKDIR
left as they are          CMD, ENTRYPOINT, HEALTHCHECK, MAINTAINER, ONBUILD, SHELL, the command
                          of RUN, ``--from``
========================  ===========================================================

EXPOSE's words are split again after that, for one variable may hold several ports.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, cast

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.instructions import (
    Add,
    Arg,
    Copy,
    Definition,
    Env,
    Expose,
    Files,
    From,
    Heredoc,
    Instruction,
    Label,
    Pair,
    Run,
    Script,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from boxship.dockerfile.readers.commands import mounts_of
from boxship.dockerfile.shellwords import Expanded, Rules, expand_word

InstructionT = TypeVar("InstructionT", bound=Instruction)
F = TypeVar("F", bound=Files)


@dataclass(frozen=True, slots=True)
class Expansion(Generic[InstructionT]):
    """An instruction whose variables are replaced; names of those it used, and those it missed."""

    instruction: InstructionT
    used: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


def expand(
    instruction: InstructionT, variables: Mapping[str, str], escape: str = "\\"
) -> Expansion[InstructionT]:
    """Replace the variables of an instruction; ``escape`` is the file's escape character.

    Raise :class:`~boxship.dockerfile.errors.DockerfileError` with the instruction's place.
    """
    expanding = _EXPANDING.get(type(instruction))
    if expanding is None:
        return Expansion(instruction)
    words = _Replacer(variables, escape)
    try:
        result = cast(InstructionT, expanding(instruction, words))
    except DockerfileError as error:
        raise error.at(instruction.where) from None
    return Expansion(result, frozenset(words.used), frozenset(words.missing))


def described(instruction: Instruction, variables: Mapping[str, str], escape: str = "\\") -> str:
    """Return the instruction on one line for people, with the variables' values.

    Its keyword is in upper case, quotes stay, unset variables stay. Of a heredoc that is a script
    the first line follows in parentheses.
    """
    keyword, _, rest = instruction.code.partition(" ")
    line = f"{keyword.upper()} {rest}".rstrip()
    if isinstance(instruction, Run) and isinstance(instruction.command, Script):
        first, *more = instruction.command.text.strip().splitlines() or [""]
        line += f" ({first}{'...' if more else ''})"
    try:
        rules = Rules(escape, keep_quotes=True, keep_unset=True)
        return expand_word(line, variables, rules).text
    except DockerfileError:
        return line


@dataclass(slots=True)
class _Replacer:
    """Replaces variables and remembers which."""

    variables: Mapping[str, str]
    escape: str
    used: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)

    def one(self, text: str) -> str:
        return self._expanded(text, Rules(self.escape)).text

    def several(self, text: str) -> tuple[str, ...]:
        return self._expanded(text, Rules(self.escape)).words

    def every(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(self.one, texts))

    def content(self, heredoc: Heredoc) -> Heredoc:
        """Replace variables of a heredoc, where quotes are nothing special."""
        if not heredoc.expand:
            return heredoc
        text = self._expanded(heredoc.content, Rules(quotes=False)).text
        return replace(heredoc, content=text)

    def _expanded(self, text: str, rules: Rules) -> Expanded:
        found = expand_word(text, self.variables, rules)
        self.used |= found.used
        self.missing |= found.missing
        return found


def _files(one: F, words: _Replacer) -> F:
    return replace(
        one,
        sources=words.every(one.sources),
        contents=tuple(map(words.content, one.contents)),
        destination=words.one(one.destination),
        chown=words.one(one.chown),
        chmod=words.one(one.chmod),
        exclude=words.every(one.exclude),
    )


def _add(one: Add, words: _Replacer) -> Instruction:
    return replace(_files(one, words), checksum=words.one(one.checksum))


def _arg(one: Arg, words: _Replacer) -> Instruction:
    return replace(
        one,
        definitions=tuple(
            Definition(
                words.one(definition.name),
                None if definition.default is None else words.one(definition.default),
                definition.comment,
            )
            for definition in one.definitions
        ),
    )


def _pairs(one: Env | Label, words: _Replacer) -> Instruction:
    pairs = tuple(Pair(words.one(pair.name), words.one(pair.value)) for pair in one.pairs)
    if any(not pair.name for pair in pairs):
        raise DockerfileError(f"{type(one).__name__.upper()} names can not be blank")
    return replace(one, pairs=pairs)


def _expose(one: Expose, words: _Replacer) -> Instruction:
    return replace(one, ports=tuple(port for text in one.ports for port in words.several(text)))


def _from(one: From, words: _Replacer) -> Instruction:
    return replace(one, base=words.one(one.base), platform=words.one(one.platform))


def _run(one: Run, words: _Replacer) -> Instruction:
    return replace(one, mounts=mounts_of(one.mount_words, words.one))


def _stopsignal(one: StopSignal, words: _Replacer) -> Instruction:
    return replace(one, signal=words.one(one.signal))


def _user(one: User, words: _Replacer) -> Instruction:
    return replace(one, user=words.one(one.user))


def _volume(one: Volume, words: _Replacer) -> Instruction:
    return replace(one, paths=words.every(one.paths))


def _workdir(one: Workdir, words: _Replacer) -> Instruction:
    return replace(one, path=words.one(one.path))


# Each function takes its own type alone, which the table's type can't say.
_EXPANDING: Mapping[type[Instruction], Callable[[Any, _Replacer], Instruction]] = {
    Add: _add,
    Arg: _arg,
    Copy: _files,
    Env: _pairs,
    Expose: _expose,
    From: _from,
    Label: _pairs,
    Run: _run,
    StopSignal: _stopsignal,
    User: _user,
    Volume: _volume,
    Workdir: _workdir,
}
