"""What only the text shows, not the instructions: remarked while it is read, for the lint rules."""

from collections.abc import Iterator

from boxship.dockerfile.instructions import Arg, Env, Finding, From, Instruction, Label
from boxship.dockerfile.places import Range
from boxship.dockerfile.readers.settings import is_legacy_pair
from boxship.dockerfile.readers.statement import Statement


def empty_lines(places: list[Range]) -> Iterator[Finding]:
    """Remark on empty lines within continued ones."""
    for where in places:
        message = "an empty line within an instruction: remove it, or the line's backslash before"
        yield Finding("NoEmptyContinuation", message, where)


def remarks(statement: Statement, one: Instruction, in_stage: bool) -> Iterator[Finding]:
    """Remark on how one instruction is written."""
    if isinstance(one, Env | Label) and is_legacy_pair(statement):
        pair = one.pairs[0]
        message = f"write {statement.name} {pair.name}=…, with = and quotes around spaces"
        yield Finding("LegacyKeyValueFormat", message, one.where)
    for name, comment in () if in_stage else _defined(one):
        if statement.comments and not comment:
            message = f"the comment above should begin with '# {name} ', or be set off by a line"
            yield Finding("InvalidDefinitionDescription", message, one.where)


def _defined(one: Instruction) -> list[tuple[str, str]]:
    if isinstance(one, From):
        return [(one.name, one.comment)] if one.name else []
    if isinstance(one, Arg):
        return [(definition.name, definition.comment) for definition in one.definitions]
    return []
