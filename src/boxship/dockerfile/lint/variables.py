"""Checks of variables: those that are missing, and those that hold secrets."""

import re
from collections.abc import Iterable, Iterator, Mapping

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.expansion import expand
from boxship.dockerfile.instructions import Arg, Dockerfile, Env, Finding, Instruction, Stage
from boxship.dockerfile.lint.texts import every_instruction
from boxship.dockerfile.scopes import (
    PLATFORM_ARGUMENTS,
    PREDEFINED,
    Scope,
    global_scope,
    stage_scope,
)
from boxship.dockerfile.suggestions import nearest
from boxship.oci.reference import InvalidReferenceError
from boxship.oci.reference import parse as parse_reference

_SECRET = re.compile(
    "(?:^|_)(?:apikey|auth|credentials?|key|password|passwd|pword|secret|token)(?:_|$)", re.I
)
_PUBLIC = re.compile("(?:^|_)public(?:_|$)", re.I)
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
# What every shell has, and what is seldom defined by the image alone.
_ALWAYS = PREDEFINED | {"PATH"}
_PLATFORM = dict.fromkeys(PLATFORM_ARGUMENTS, "linux")


def secrets(read: Dockerfile) -> Iterator[Finding]:
    """Find names of arguments and variables that promise a secret."""
    for one in every_instruction(read):
        names = [pair.name for pair in one.pairs] if isinstance(one, Env) else []
        if isinstance(one, Arg):
            names = [definition.name for definition in one.definitions]
        for name in names:
            if _SECRET.search(name) and not _PUBLIC.search(name):
                word = type(one).__name__.upper()
                message = f"{word} {name} looks like a secret: use RUN --mount=type=secret"
                yield Finding("SecretsUsedInArgOrEnv", message, one.where)


def bases(read: Dockerfile, given: Mapping[str, str]) -> Iterator[Finding]:
    """Find base images that need an argument, and those that use an undeclared one."""
    escape = read.directives.escape
    try:
        scope = global_scope(read.arguments, given, _PLATFORM, escape)
        defaults = global_scope(read.arguments, {}, _PLATFORM, escape)
    except DockerfileError:
        return
    for stage in read.stages:
        try:
            missing = expand(stage.start, scope.variables, escape).missing - scope.declared
            base = expand(stage.start, defaults.variables, escape).instruction.base
        except DockerfileError:
            continue
        for name in sorted(missing):
            message = f"FROM uses ${name}, which no ARG before the first FROM declares"
            hint = _hint(name, (*scope.variables, *scope.declared))
            yield Finding("UndefinedArgInFrom", message + hint, stage.start.where)
        if not missing and base != stage.start.base and not _is_reference(base):
            message = f"with the defaults of its arguments, '{stage.start.base}' is '{base}'"
            yield Finding("InvalidDefaultArgInFrom", message, stage.start.where)


def _is_reference(text: str) -> bool:
    try:
        parse_reference(text)
    except InvalidReferenceError:
        return False
    return True


def undefined(
    read: Dockerfile, given: Mapping[str, str], environments: Mapping[int, Mapping[str, str]]
) -> Iterator[Finding]:
    """Find variables that neither the stage nor its base defines."""
    escape = read.directives.escape
    try:
        outside = global_scope(read.arguments, given, _PLATFORM, escape)
    except DockerfileError:
        return
    ends: dict[str, Scope] = {}
    for stage in read.stages:
        base = stage.start.base
        parent = ends.get(base.lower())
        known = {} if base == "scratch" else environments.get(stage.index)
        if parent is not None:
            scope = stage_scope(outside, parent.environment, parent)
        elif known is not None:
            scope = stage_scope(outside, known)
        else:
            continue
        found, end = _within(stage, scope, escape)
        yield from found
        ends[stage.name or str(stage.index)] = end


def _within(stage: Stage, scope: Scope, escape: str) -> tuple[list[Finding], Scope]:
    found: list[Finding] = []
    for one in stage.instructions:
        try:
            expansion = expand(one, scope.variables, escape)
            found += _missed(one, expansion.missing, scope)
            if isinstance(one, Arg):
                scope = scope.declare(one, escape)
            if isinstance(expansion.instruction, Env):
                scope = scope.set(expansion.instruction)
        except DockerfileError:
            # It is the build's error to report, not a warning.
            continue
    return found, scope


def _missed(one: Instruction, missing: Iterable[str], scope: Scope) -> Iterator[Finding]:
    for name in sorted(set(missing) - scope.declared - _ALWAYS):
        if _NAME.fullmatch(name):
            hint = _hint(name, (*scope.variables, *scope.declared))
            yield Finding("UndefinedVar", f"${name} is defined nowhere{hint}", one.where)


def _hint(name: str, known: Iterable[str]) -> str:
    hint = nearest(name, known, "$")
    return f" ({hint})" if hint else ""
