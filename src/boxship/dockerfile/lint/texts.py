"""Checks of how the text is written."""

from collections.abc import Iterator

from boxship.dockerfile.instructions import Dockerfile, Finding, Instruction


def every_instruction(read: Dockerfile) -> Iterator[Instruction]:
    """Yield all instructions in the order of the text."""
    yield from read.arguments
    for stage in read.stages:
        yield stage.start
        yield from stage.instructions


def _keyword(one: Instruction) -> str:
    return one.code.split(None, 1)[0]


def instruction_casing(read: Dockerfile) -> Iterator[Finding]:
    """Find keywords that are written otherwise than most."""
    everything = list(every_instruction(read))
    lower = sum(_keyword(one).islower() for one in everything)
    upper = sum(_keyword(one).isupper() for one in everything)
    most = "lowercase" if lower > upper else "uppercase"
    for one in everything:
        word = _keyword(one)
        right = word.islower() if most == "lowercase" else word.isupper()
        if not right:
            yield Finding(
                "ConsistentInstructionCasing",
                f"'{word}' is not {most}, as most instructions of this file are",
                one.where,
            )


def from_as_casing(read: Dockerfile) -> Iterator[Finding]:
    """Find ``FROM … as`` and ``from … AS``."""
    for stage in read.stages:
        if not stage.name:
            continue
        keyword, word = _keyword(stage.start), stage.start.code.split()[-2]
        # A keyword of both cases is another rule's business.
        upper, lower = keyword.isupper(), keyword.islower()
        if (upper and not word.isupper()) or (lower and not word.islower()):
            yield Finding(
                "FromAsCasing", f"'{word}' is not written like '{keyword}'", stage.start.where
            )
