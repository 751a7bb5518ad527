"""The image configuration that a Dockerfile without files and commands asks for, by the shortest
way: no planning, no store. For tests of the language alone.
"""

import posixpath
from dataclasses import dataclass, field
from typing import Any

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.expansion import expand
from boxship.dockerfile.instructions import (
    Arg,
    Cmd,
    CommandLine,
    Entrypoint,
    Env,
    ExecForm,
    Expose,
    Healthcheck,
    Instruction,
    Label,
    Onbuild,
    Script,
    Shell,
    Stage,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from boxship.dockerfile.parsing import parse
from boxship.dockerfile.ports import exposed_ports
from boxship.dockerfile.scopes import Scope, global_scope, platform_arguments, stage_scope

PATH = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


@dataclass
class _Built:
    scope: Scope
    config: dict[str, Any] = field(default_factory=dict)


def image_config(text: str) -> dict[str, Any]:
    """Return the last stage's configuration: keys of the Engine API that have a value."""
    read = parse(text)
    escape = read.directives.escape
    outside = global_scope(
        read.arguments, {}, platform_arguments("TARGET", "linux", "amd64", ""), escape
    )
    done: dict[str, _Built] = {}
    for stage in read.stages:
        built = _stage(stage, outside, done, escape)
        done[stage.name or str(stage.index)] = built
    env = [f"{name}={value}" for name, value in built.scope.environment.items() if name != "PATH"]
    found = {"Env": env, **built.config}
    return {key: value for key, value in found.items() if value not in (None, "", [], {})}


def _stage(stage: Stage, outside: Scope, done: dict[str, _Built], escape: str) -> _Built:
    base = expand(stage.start, outside.variables, escape).instruction.base
    if not base:
        raise DockerfileError(f"base name ({stage.start.base}) should not be blank")
    if base in done:
        parent = done[base]
        scope = stage_scope(outside, parent.scope.environment, parent.scope)
        built = _Built(scope, dict(parent.config))
    else:
        built = _Built(stage_scope(outside, PATH))
    for instruction in stage.instructions:
        if isinstance(instruction, Arg):
            built.scope = built.scope.declare(instruction, escape)
        else:
            _apply(built, expand(instruction, built.scope.variables, escape).instruction)
    return built


def _apply(built: _Built, one: Instruction) -> None:
    config = built.config
    match one:
        case Env():
            built.scope = built.scope.set(one)
        case Label():
            pairs = {pair.name: pair.value for pair in one.pairs}
            config["Labels"] = {**config.get("Labels", {}), **pairs}
        case Cmd():
            config["Cmd"] = _command(one.command, config)
        case Entrypoint():
            config["Entrypoint"] = _command(one.command, config)
        case Shell():
            config["Shell"] = list(one.arguments)
        case Expose():
            ports: dict[str, Any] = {port: {} for port in exposed_ports(one.ports)}
            config["ExposedPorts"] = {**config.get("ExposedPorts", {}), **ports}
        case User():
            config["User"] = one.user
        case Workdir():
            below = config.get("WorkingDir", "/")
            config["WorkingDir"] = posixpath.normpath(posixpath.join(below, one.path))
        case Volume():
            paths: dict[str, Any] = {path: {} for path in one.paths}
            config["Volumes"] = {**config.get("Volumes", {}), **paths}
        case StopSignal():
            config["StopSignal"] = one.signal
        case Onbuild():
            config["OnBuild"] = [*config.get("OnBuild", []), one.trigger]
        case Healthcheck():
            config["Healthcheck"] = _health(one)


def _command(command: CommandLine, config: dict[str, Any]) -> list[str]:
    match command:
        case ExecForm(arguments):
            return list(arguments)
        case Script(_, text):
            line = text
        case _:
            line = command.line
    return [*config.get("Shell", ["/bin/sh", "-c"]), line]


def _health(one: Healthcheck) -> dict[str, Any]:
    if one.command is None:
        return {"Test": ["NONE"]}
    test = (
        ["CMD", *one.command.arguments]
        if isinstance(one.command, ExecForm)
        else ["CMD-SHELL", _command(one.command, {})[-1]]
    )
    numbers = {
        "Interval": one.interval,
        "Timeout": one.timeout,
        "StartPeriod": one.start_period,
        "StartInterval": one.start_interval,
        "Retries": one.retries,
    }
    return {"Test": test, **{key: value for key, value in numbers.items() if value}}
