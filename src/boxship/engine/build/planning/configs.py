"""What instructions change of an image's config. Their variables are replaced already."""

import posixpath

from msgspec.structs import replace

from boxship.base.errors import InvalidArgumentError
from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.instructions import (
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
    ShellForm,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from boxship.dockerfile.ports import exposed_ports
from boxship.engine.build.planning.words import DEFAULT_SHELL, command_of
from boxship.engine.containers.signals import parse_signal
from boxship.oci.image import Empty, ImageConfig
from boxship.oci.image import Healthcheck as Probe

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def shell_of(config: ImageConfig) -> tuple[str, ...]:
    """Return what lines of the shell form are given to."""
    return tuple(config.shell or DEFAULT_SHELL)


def environment(config: ImageConfig) -> dict[str, str]:
    """Return the variables, in order."""
    return dict(item.partition("=")[::2] for item in config.env or ())


def with_variables(config: ImageConfig, variables: dict[str, str]) -> ImageConfig:
    """Set variables; those that were there keep their places."""
    merged = {**environment(config), **variables}
    return replace(config, env=tuple(f"{name}={value}" for name, value in merged.items()))


def applied(config: ImageConfig, instruction: Instruction, *, cmd_set: bool) -> ImageConfig:
    """Return the config after an instruction; ``cmd_set``: the stage has had a ``CMD``."""
    match instruction:
        case Env(pairs=pairs):
            return with_variables(config, {pair.name: pair.value for pair in pairs})
        case Label(pairs=pairs):
            labels = {**(config.labels or {}), **{pair.name: pair.value for pair in pairs}}
            return replace(config, labels=labels)
        case Cmd(command=command):
            return replace(config, cmd=command_of(command, shell_of(config)))
        case Entrypoint(command=command):
            words = command_of(command, shell_of(config))
            return replace(config, entrypoint=words or None, cmd=config.cmd if cmd_set else None)
        case Expose(ports=ports):
            more = dict.fromkeys(exposed_ports(ports), Empty())
            return replace(config, exposed_ports={**(config.exposed_ports or {}), **more})
        case Volume(paths=paths):
            more = dict.fromkeys(paths, Empty())
            return replace(config, volumes={**(config.volumes or {}), **more})
        case Healthcheck():
            return replace(config, healthcheck=probe_of(instruction, config))
    return _plainly(config, instruction)


def _plainly(config: ImageConfig, instruction: Instruction) -> ImageConfig:
    match instruction:
        case User(user=user):
            return replace(config, user=user)
        case Workdir(path=path):
            return replace(config, working_dir=directory(config, path))
        case StopSignal(signal=signal):
            return replace(config, stop_signal=_checked(signal, instruction))
        case Shell(arguments=arguments):
            return replace(config, shell=arguments)
        case Onbuild(trigger=trigger):
            return replace(config, on_build=(*(config.on_build or ()), trigger))
    return config


def directory(config: ImageConfig, path: str) -> str:
    """Return a path as it stands below the working directory, absolute and clean."""
    joined = posixpath.normpath(posixpath.join("/", config.working_dir, path))
    return "/" + joined.lstrip("/")


def probe_of(instruction: Healthcheck, config: ImageConfig) -> Probe:
    """Return the probe that ``HEALTHCHECK`` describes."""
    return Probe(
        test=_test(instruction.command, config),
        interval=instruction.interval,
        timeout=instruction.timeout,
        start_period=instruction.start_period,
        start_interval=instruction.start_interval,
        retries=instruction.retries,
    )


def _test(command: CommandLine | None, config: ImageConfig) -> tuple[str, ...]:
    match command:
        case None:
            return ("NONE",)
        case ExecForm(arguments):
            return ("CMD", *arguments)
        case ShellForm(text) | Script(text=text):
            return ("CMD-SHELL", text)


def _checked(name: str, instruction: StopSignal) -> str:
    try:
        parse_signal(name)
    except InvalidArgumentError as error:
        raise DockerfileError(str(error), instruction.where) from error
    return name
