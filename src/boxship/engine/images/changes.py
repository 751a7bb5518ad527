"""``--change``: the few Dockerfile instructions that alter an image's config and run nothing.

A line is an instruction and its arguments. CMD, ENTRYPOINT, VOLUME and SHELL take a JSON list or
plain words; ENV and LABEL take ``name=value`` pairs with shell quoting, or the old ``name value``.
Most see the config's environment as variables. An ENTRYPOINT takes away the CMD that was there
before the lines, which was another command's arguments.
"""

import re
import shlex
from collections.abc import Callable, Iterable

import msgspec
from msgspec.structs import replace

from boxship.base.errors import InvalidArgumentError
from boxship.engine.images import healthcheck
from boxship.engine.images.variables import expanded
from boxship.oci.image import Empty, ImageConfig

_DEFAULT_SHELL = ("/bin/sh", "-c")
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.IGNORECASE)

Apply = Callable[[ImageConfig, str], ImageConfig]


def apply_changes(config: ImageConfig, lines: Iterable[str]) -> ImageConfig:
    """Return the config with every line applied. Raise InvalidArgumentError naming the line."""
    has_command = False
    for line in lines:
        keyword, _, rest = line.strip().partition(" ")
        name = keyword.upper()
        apply = _INSTRUCTIONS.get(name)
        if apply is None:
            raise InvalidArgumentError(
                f"{keyword} is not a valid change command"
                if keyword
                else "file with no instructions"
            )
        try:
            config = apply(config, _expanded(name, rest.strip(), config))
        except ValueError as error:
            raise InvalidArgumentError(f"{name} {error}") from error
        has_command = has_command or name == "CMD"
        if name == "ENTRYPOINT" and not has_command:
            config = replace(config, cmd=None)
    return config


def _expanded(name: str, text: str, config: ImageConfig) -> str:
    if name not in _EXPANDED:
        return text
    return expanded(text, config.env or (), as_words=name in ("ENV", "LABEL"))


def _words(text: str) -> tuple[str, ...] | None:
    """Read a JSON list of strings; None if it is not one."""
    try:
        return msgspec.json.decode(text, type=tuple[str, ...])
    except msgspec.DecodeError:
        return None


def _command(config: ImageConfig, text: str) -> tuple[str, ...]:
    words = _words(text)
    if words is not None:
        return words
    return (*(config.shell or _DEFAULT_SHELL), text) if text else ()


def _pairs(text: str) -> dict[str, str]:
    words = shlex.split(text)
    if not words:
        raise ValueError("requires at least one argument")
    if "=" not in words[0]:
        name, _, value = text.partition(" ")
        if not value:
            raise ValueError("must have two arguments")
        return {name: value.strip()}
    pairs = [word.partition("=") for word in words]
    if not all(name and equals for name, equals, _ in pairs):
        raise ValueError("must be of the form: name=value")
    return {name: value for name, _, value in pairs}


def _cmd(config: ImageConfig, text: str) -> ImageConfig:
    return replace(config, cmd=_command(config, text))


def _entrypoint(config: ImageConfig, text: str) -> ImageConfig:
    return replace(config, entrypoint=_command(config, text))


def _env(config: ImageConfig, text: str) -> ImageConfig:
    env = dict(item.partition("=")[::2] for item in config.env or ())
    env |= _pairs(text)
    return replace(config, env=tuple(f"{name}={value}" for name, value in env.items()))


def _label(config: ImageConfig, text: str) -> ImageConfig:
    return replace(config, labels={**(config.labels or {}), **_pairs(text)})


def _expose(config: ImageConfig, text: str) -> ImageConfig:
    ports = dict(config.exposed_ports or {})
    for word in text.split():
        match = _PORT.fullmatch(word)
        if match is None:
            raise ValueError(f"invalid containerPort: {word}")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 0 < first <= last < 65536:
            raise ValueError(f"invalid port range: {word}")
        protocol = (match[3] or "tcp").lower()
        ports |= {f"{port}/{protocol}": Empty() for port in range(first, last + 1)}
    return replace(config, exposed_ports=ports)


def _volume(config: ImageConfig, text: str) -> ImageConfig:
    words = _words(text)
    paths = words if words is not None else tuple(text.split())
    if not paths or not all(paths):
        raise ValueError("VOLUME specified can not be an empty string")
    return replace(config, volumes={**(config.volumes or {}), **dict.fromkeys(paths, Empty())})


def _workdir(config: ImageConfig, text: str) -> ImageConfig:
    if not text:
        raise ValueError("requires exactly one argument")
    path = text if text.startswith("/") else f"{config.working_dir.rstrip('/')}/{text}"
    return replace(config, working_dir=path)


def _user(config: ImageConfig, text: str) -> ImageConfig:
    if not text:
        raise ValueError("requires exactly one argument")
    return replace(config, user=text)


def _stop_signal(config: ImageConfig, text: str) -> ImageConfig:
    if not text:
        raise ValueError("requires exactly one argument")
    return replace(config, stop_signal=text)


def _healthcheck(config: ImageConfig, text: str) -> ImageConfig:
    return replace(config, healthcheck=healthcheck.parse(text))


def _on_build(config: ImageConfig, text: str) -> ImageConfig:
    if text.partition(" ")[0].upper() in ("", "ONBUILD", "FROM", "MAINTAINER"):
        raise ValueError("not allowed as an ONBUILD trigger")
    return replace(config, on_build=(*(config.on_build or ()), text))


def _shell(config: ImageConfig, text: str) -> ImageConfig:
    words = _words(text)
    if not words:
        raise ValueError("requires the arguments to be in JSON form")
    return replace(config, shell=words)


_EXPANDED = frozenset({"ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"})
_INSTRUCTIONS: dict[str, Apply] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
