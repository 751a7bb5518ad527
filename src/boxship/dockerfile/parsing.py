"""From a text to a :class:`~boxship.dockerfile.instructions.Dockerfile`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from boxship.dockerfile.directives import read_directives
from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.instructions import (
    Arg,
    Dockerfile,
    Finding,
    From,
    Instruction,
    Onbuild,
    Stage,
)
from boxship.dockerfile.lines import Lines
from boxship.dockerfile.places import Range
from boxship.dockerfile.readers.statement import Statement, json_list
from boxship.dockerfile.readers.table import INSTRUCTIONS
from boxship.dockerfile.remarks import empty_lines, remarks
from boxship.dockerfile.statements import Statements, take_apart
from boxship.dockerfile.suggestions import nearest

_LARGEST = 16 << 20


def parse(
    text: str | bytes,
    name: str = "Dockerfile",
    *,
    included: Mapping[str, str | bytes] | None = None,
) -> Dockerfile:
    """Read a Dockerfile. ``name`` is its path, as in messages and for relative INCLUDEs.

    ``included`` are files for INCLUDE by path. Raise :class:`DockerfileError` for the first
    mistake, :class:`~boxship.dockerfile.errors.IncludesWantedError` if files are missing there.
    """
    source = decoded(text)
    statements = Statements({path: decoded(one) for path, one in (included or {}).items()})
    directives = read_directives(source)
    found = _Found()
    for statement in statements.read(source, name):
        found.add(statement)
    found.check()
    return Dockerfile(
        name=name,
        text=source,
        directives=directives,
        arguments=tuple(found.arguments),
        stages=tuple(Stage(i, start, tuple(rest)) for i, (start, rest) in enumerate(found.stages)),
        findings=(*found.findings, *empty_lines(statements.empty_lines)),
        files=tuple(statements.used.items()),
    )


@dataclass(slots=True)
class _Found:
    """What the statements so far have become."""

    arguments: list[Arg] = field(default_factory=list)
    stages: list[tuple[From, list[Instruction]]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    end: Range | None = None

    def add(self, statement: Statement) -> None:
        instruction = read_instruction(statement)
        self.end = statement.where
        in_stage = bool(self.stages) and not isinstance(instruction, From)
        self.findings += remarks(statement, instruction, in_stage)
        if isinstance(instruction, From):
            self.stages.append((instruction, []))
        elif self.stages:
            self.stages[-1][1].append(instruction)
        elif isinstance(instruction, Arg):
            self.arguments.append(instruction)
        else:
            raise DockerfileError(
                "no build stage in current context",
                statement.where,
                hint=f"{statement.name} has to come after a FROM",
            )

    def check(self) -> None:
        if self.end is None:
            raise DockerfileError("file with no instructions", Range(1, 1))
        if not self.stages:
            hint = "there is no FROM"
            raise DockerfileError("dockerfile contains no stages to build", self.end, hint=hint)


def parse_trigger(text: str) -> Instruction:
    """Read what ``ONBUILD`` put into an image; raise :class:`DockerfileError`."""
    found = [read_instruction(one) for one in _single(text)]
    if len(found) != 1 or isinstance(found[0], From | Onbuild):
        raise DockerfileError(f'"{text[:80]}" can\'t be an ONBUILD trigger')
    return found[0]


def _single(text: str) -> Iterator[Statement]:
    statements = Statements({})
    lines = Lines(text)
    for line in lines:
        yield statements.one(lines, line)


def read_instruction(statement: Statement) -> Instruction:
    """Read one instruction; errors name its place."""
    entry = INSTRUCTIONS.get(statement.name)
    try:
        if entry is None:
            raise _unknown(statement.keyword)
        _check_nul(statement)
        instruction = entry.read(statement)
        if isinstance(instruction, Onbuild):
            _check_trigger(statement)
    except DockerfileError as error:
        raise error.at(statement.where) from None
    return instruction


def _unknown(keyword: str) -> DockerfileError:
    shown = keyword if len(keyword) <= 40 else f"{keyword[:40]}…"
    return DockerfileError(
        f"unknown instruction: {shown}", hint=nearest(keyword, (*INSTRUCTIONS, "INCLUDE"))
    )


def _check_nul(statement: Statement) -> None:
    """Refuse what no path, argument or variable can have; files that it contains are free to."""
    scripts = [one.content for one in statement.heredocs] if statement.name == "RUN" else []
    texts = (*statement.flags, statement.rest, *scripts)
    # In a JSON list it may be written as an escape, which other words have as text.
    listed = json_list(statement.rest) if "\\u0000" in statement.rest else None
    if any("\0" in text for text in (*texts, *(listed or ()))):
        raise DockerfileError(f"{statement.name} has a NUL in it")


def _check_trigger(statement: Statement) -> None:
    """Read the trigger now, so that a mistake is found where it was made."""
    keyword, flags, rest = take_apart(statement.rest)
    entry = INSTRUCTIONS.get(keyword.upper())
    if entry is None:
        raise _unknown(keyword)
    entry.read(
        Statement(
            keyword=keyword,
            flags=flags,
            rest=rest,
            code=statement.rest,
            where=statement.where,
            escape=statement.escape,
            heredocs=statement.heredocs,
        )
    )


def decoded(text: str | bytes) -> str:
    """Return the text of a file: UTF-8, and what is not is replaced, as in an image's config."""
    if len(text) > _LARGEST:
        raise DockerfileError(f"the Dockerfile is larger than {_LARGEST >> 20} MiB")
    if isinstance(text, str):
        return text
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DockerfileError("the Dockerfile is UTF-16", hint="save it as UTF-8")
    return text.decode("utf-8", "replace")
