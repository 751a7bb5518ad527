"""Checks of stages, one instruction beside the other."""

from collections.abc import Iterator

from boxship.dockerfile.instructions import (
    Cmd,
    Dockerfile,
    Entrypoint,
    Expose,
    Finding,
    Healthcheck,
    Instruction,
    Maintainer,
    Shell,
    ShellForm,
    Stage,
    Workdir,
)
from boxship.dockerfile.ports import has_host_part

_RESERVED = ("context", "scratch")
_ONCE = (Cmd, Entrypoint, Healthcheck)


def names(read: Dockerfile) -> Iterator[Finding]:
    """Find stage names that are given twice, mean something else, or have capitals."""
    seen: dict[str, int] = {}
    for stage in read.stages:
        if not stage.name:
            continue
        where, written = stage.start.where, stage.start.code.split()[-1]
        if stage.name in seen:
            message = f"stage '{stage.name}' exists already, as number {seen[stage.name]}"
            yield Finding("DuplicateStageName", message, where)
        seen.setdefault(stage.name, stage.index)
        if stage.name in _RESERVED:
            message = f"'{written}' can't be the name of a stage: the word is reserved"
            yield Finding("ReservedStageName", message, where)
        if written != stage.name:
            message = f"stage '{written}' is called '{stage.name}', as all are in lower case"
            yield Finding("StageNameCasing", message, where)


def platforms(read: Dockerfile) -> Iterator[Finding]:
    """Find ``--platform`` where it is fixed, or says nothing."""
    for stage in read.stages:
        wanted, where = stage.start.platform, stage.start.where
        if wanted in ("$TARGETPLATFORM", "${TARGETPLATFORM}"):
            message = f"--platform={wanted} can be left out: it is the default"
            yield Finding("RedundantTargetPlatform", message, where)
        elif wanted and "$" not in wanted and not _named_after(stage, wanted):
            message = f"--platform={wanted} is fixed: every target would get this platform's base"
            yield Finding("FromPlatformFlagConstDisallowed", message, where)


def _named_after(stage: Stage, platform: str) -> bool:
    """Tell whether it is one of several stages of which FROM chooses by platform."""
    return any(part in stage.name for part in platform.lower().split("/"))


def _bases(read: Dockerfile) -> dict[int, int]:
    """Return the index of each stage's base, if that is a stage."""
    found: dict[int, int] = {}
    by_name: dict[str, int] = {}
    for stage in read.stages:
        base = by_name.get(stage.start.base.lower())
        if base is not None:
            found[stage.index] = base
        if stage.name:
            by_name[stage.name] = stage.index
    return found


def shell_forms(read: Dockerfile) -> Iterator[Finding]:
    """Find CMD and ENTRYPOINT for a shell, unless somebody chose the shell on purpose."""
    bases = _bases(read)
    chosen: set[int] = set()
    for stage in read.stages:
        if bases.get(stage.index) in chosen:
            chosen.add(stage.index)
        for one in stage.instructions:
            if isinstance(one, Shell):
                chosen.add(stage.index)
            elif (
                isinstance(one, Cmd | Entrypoint)
                and isinstance(one.command, ShellForm)
                and stage.index not in chosen
            ):
                word = type(one).__name__.upper()
                message = f'{word} is run by a shell, which keeps signals: prefer {word} ["…"]'
                yield Finding("JSONArgsRecommended", message, one.where)


def only_last_counts(read: Dockerfile) -> Iterator[Finding]:
    """Find instructions that a later one of the same stage replaces."""
    for stage in read.stages:
        last: dict[type[Instruction], Instruction] = {}
        for one in stage.instructions:
            if not isinstance(one, _ONCE):
                continue
            earlier = last.get(type(one))
            if earlier is not None:
                word = type(one).__name__.upper()
                message = f"this {word} has no effect: a later {word} of the stage replaces it"
                yield Finding("MultipleInstructionsDisallowed", message, earlier.where)
            last[type(one)] = one


def relative_directories(read: Dockerfile) -> Iterator[Finding]:
    """Find a relative WORKDIR that no absolute one precedes."""
    bases = _bases(read)
    fixed: set[int] = set()
    for stage in read.stages:
        if bases.get(stage.index) in fixed:
            fixed.add(stage.index)
        for one in stage.instructions:
            if not isinstance(one, Workdir):
                continue
            if one.path.lstrip("\"'").startswith(("/", "$")):
                fixed.add(stage.index)
            elif stage.index not in fixed:
                message = f"WORKDIR {one.path} is relative to whatever the base image has"
                yield Finding("WorkdirRelativePath", message, one.where)


def maintainers(read: Dockerfile) -> Iterator[Finding]:
    """Find MAINTAINER."""
    for stage in read.stages:
        for one in stage.instructions:
            if isinstance(one, Maintainer):
                message = "MAINTAINER is deprecated: use LABEL org.opencontainers.image.authors="
                yield Finding("MaintainerDeprecated", message, one.where)


def ports(read: Dockerfile) -> Iterator[Finding]:
    """Find ports of the host, and protocols in capitals."""
    for stage in read.stages:
        for one in stage.instructions:
            for word in one.ports if isinstance(one, Expose) else ():
                if has_host_part(word) and "$" not in word:
                    message = f"'{word}' names an address or a port of the host, which is ignored"
                    yield Finding("ExposeInvalidFormat", message, one.where)
                protocol = word.rpartition("/")[2] if "/" in word else ""
                if "$" not in protocol and protocol != protocol.lower():
                    message = f"the protocol of '{word}' should be '{protocol.lower()}'"
                    yield Finding("ExposeProtoCasing", message, one.where)
