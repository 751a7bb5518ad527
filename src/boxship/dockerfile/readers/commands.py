"""What runs something: RUN, CMD, ENTRYPOINT, HEALTHCHECK, SHELL."""

import re
from collections.abc import Callable, Mapping

from boxship.base.moments import parse_duration
from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.flags import Flags, Kind, read_flags
from boxship.dockerfile.instructions import (
    Cmd,
    CommandLine,
    Device,
    Entrypoint,
    ExecForm,
    Healthcheck,
    Run,
    Script,
    Shell,
    ShellForm,
)
from boxship.dockerfile.lines import heredoc_word
from boxship.dockerfile.mounting import read_mount
from boxship.dockerfile.mounts import Mount
from boxship.dockerfile.readers.statement import Statement, json_list
from boxship.dockerfile.shellwords import WHITESPACE
from boxship.dockerfile.suggestions import nearest

_RUN: Mapping[str, Kind] = {
    "mount": Kind.LIST,
    "network": Kind.TEXT,
    "security": Kind.TEXT,
    "device": Kind.LIST,
}
_HEALTHCHECK: Mapping[str, Kind] = {
    "interval": Kind.TEXT,
    "timeout": Kind.TEXT,
    "start-period": Kind.TEXT,
    "start-interval": Kind.TEXT,
    "retries": Kind.TEXT,
}
_NETWORKS = ("default", "none", "host")
_SECURITIES = ("sandbox", "insecure")
_SHORTEST = 1_000_000
_FIRST_WORD = re.compile(rf"([^{re.escape(WHITESPACE)}]*)[{re.escape(WHITESPACE)}]*", re.DOTALL)


def read_run(statement: Statement) -> Run:
    """Read ``RUN``."""
    flags = read_flags(statement.flags, _RUN)
    return Run(
        command=_command(statement, statement.rest),
        mounts=mounts_of(flags.all("mount"), None),
        mount_words=flags.all("mount"),
        network=_one_of(flags, "network", _NETWORKS),
        security=_one_of(flags, "security", _SECURITIES),
        devices=tuple(map(_device, flags.all("device"))),
        where=statement.where,
        code=statement.code,
    )


def mounts_of(words: tuple[str, ...], expand: Callable[[str], str] | None) -> tuple[Mount, ...]:
    """Read ``--mount`` values; without ``expand`` only if there is nothing to expand in any."""
    if expand is not None:
        return tuple(read_mount(word, expand) for word in words)
    if any(special in word for word in words for special in "$'\"\\`"):
        return ()
    return tuple(read_mount(word, lambda value: value) for word in words)


def read_cmd(statement: Statement) -> Cmd:
    """Read ``CMD``."""
    read_flags(statement.flags, {})
    return Cmd(
        command=_command(statement, statement.rest), where=statement.where, code=statement.code
    )


def read_entrypoint(statement: Statement) -> Entrypoint:
    """Read ``ENTRYPOINT``."""
    read_flags(statement.flags, {})
    return Entrypoint(
        command=_command(statement, statement.rest), where=statement.where, code=statement.code
    )


def read_shell(statement: Statement) -> Shell:
    """Read ``SHELL``, which has only the JSON form."""
    read_flags(statement.flags, {})
    arguments = json_list(statement.rest)
    if arguments is None and statement.rest:
        raise DockerfileError(
            "SHELL requires the arguments to be in JSON form",
            hint='such as SHELL ["/bin/bash", "-c"]',
        )
    return Shell(
        arguments=tuple(statement.at_least_one(arguments or [])),
        where=statement.where,
        code=statement.code,
    )


def read_healthcheck(statement: Statement) -> Healthcheck:
    """Read ``HEALTHCHECK``."""
    match = _FIRST_WORD.match(statement.rest)
    word = match[1] if match else ""
    rest = statement.rest[match.end() :] if match else ""
    statement.at_least_one([word] if word else [])
    if word.upper() == "NONE":
        if rest:
            raise DockerfileError("HEALTHCHECK NONE takes no arguments")
        return Healthcheck(where=statement.where, code=statement.code)
    flags = read_flags(statement.flags, _HEALTHCHECK)
    if word.upper() != "CMD":
        raise DockerfileError(f'unknown type "{word}" in HEALTHCHECK', hint="try CMD")
    command = _command(statement, rest)
    if command in (ExecForm(()), ShellForm("")):
        raise DockerfileError("missing command after HEALTHCHECK CMD")
    return Healthcheck(
        command=command,
        interval=_duration(flags, "interval"),
        timeout=_duration(flags, "timeout"),
        start_period=_duration(flags, "start-period"),
        start_interval=_duration(flags, "start-interval"),
        retries=_retries(flags),
        where=statement.where,
        code=statement.code,
    )


def _command(statement: Statement, line: str) -> CommandLine:
    arguments = json_list(line)
    if arguments is not None:
        return ExecForm(tuple(arguments))
    if not statement.heredocs:
        return ShellForm(line)
    if heredoc_word(line):
        only = statement.heredocs[0]
        return Script(only.name, only.text)
    bodies = [f"\n{one.content}{one.name}" for one in statement.heredocs]
    return ShellForm("".join([line, *bodies]))


def _one_of(flags: Flags, name: str, allowed: tuple[str, ...]) -> str:
    """Return an option with few values; the first is the default."""
    value = flags.given(name)
    if value is None:
        return allowed[0]
    if value not in allowed:
        hint = nearest(value, allowed) or f"it is one of {', '.join(allowed)}"
        raise DockerfileError(f'invalid value "{value}" for flag {name}', hint=hint)
    return value


def _device(word: str) -> Device:
    """Read ``name[,required[=bool]]``, the name also as ``name=…``."""
    name, required = "", True
    for part in word.split(","):
        key, separator, value = part.partition("=")
        if key == "required" and value in ("", "true", "false"):
            required = value != "false"
        elif key == "name" and separator and not name:
            name = value
        elif not name and part:
            name = part
        else:
            raise DockerfileError(f"invalid field '{part}' in --device={word}")
    if not name:
        raise DockerfileError("a device has to be named", hint="--device=vendor.com/class=name")
    return Device(name, required)


def _duration(flags: Flags, name: str) -> int:
    text = flags.text(name)
    if not text:
        return 0
    try:
        value = parse_duration(text)
    except ValueError as error:
        raise DockerfileError(f"{error} for flag {name}", hint="such as 30s or 1m30s") from None
    if value and value < _SHORTEST:
        raise DockerfileError(f'interval "{name}" cannot be less than 1ms')
    return value


def _retries(flags: Flags) -> int:
    text = flags.text("retries")
    if not text:
        return 0
    if not text.lstrip("+-").isdecimal() or len(text) > 10:
        raise DockerfileError(f'invalid number "{text}" for flag retries')
    if int(text) < 0:
        raise DockerfileError(f"--retries cannot be negative ({int(text)})")
    return int(text)
