"""What a build is asked to be, as the command line says it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from boxship.base.errors import InvalidArgumentError
from boxship.cli.building.specs import (
    Attestation,
    Cache,
    Call,
    Output,
    Secret,
    Ssh,
    parse_shorthand,
)
from boxship.cli.buildprogress.display import check_mode
from boxship.cli.flags import Values
from boxship.cli.kinds import parse_integer, parse_size
from boxship.oci.reference import InvalidReferenceError, parse

_RESOURCES: dict[str, Callable[[str], object]] = {
    "memory": parse_size,
    "memory-swap": lambda text: -1 if text == "-1" else parse_size(text),
    "cpu-shares": parse_integer,
    "cpu-period": parse_integer,
    "cpu-quota": parse_integer,
    "cpuset-cpus": str,
    "cpuset-mems": str,
}


_BUILD = Call()


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of each step; nothing said is no limit. Sizes in bytes, times in microseconds."""

    resources: tuple[tuple[str, str], ...] = ()
    """By the names of the flags: ``memory``, ``cpu-quota`` … in decimal."""
    ulimits: tuple[Mapping[str, Any], ...] = ()
    shm_size: int = 0
    cgroup_parent: str = ""
    security: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CacheUse:
    disabled: bool = False
    disabled_stages: tuple[str, ...] = ()
    sources: tuple[Cache, ...] = ()
    targets: tuple[Cache, ...] = ()
    pull: bool = False
    explain: bool = False


@dataclass(frozen=True, slots=True)
class Reporting:
    """What the client shows and writes down."""

    progress: str = "auto"
    id_file: str = ""
    metadata_file: str = ""
    shell_on_error: bool = False
    expanded: bool = False
    """Warnings with all that is said about them."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """One wish."""

    file: str = ""
    target: str = ""
    tags: tuple[str, ...] = ()
    arguments: tuple[tuple[str, str | None], ...] = ()
    """None: the Dockerfile's own default counts."""
    labels: tuple[tuple[str, str], ...] = ()
    platforms: tuple[str, ...] = ()
    contexts: tuple[tuple[str, str], ...] = ()
    outputs: tuple[Output, ...] = ()
    attestations: tuple[Attestation, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    cache: CacheUse = CacheUse()
    limits: Limits = Limits()
    secrets: tuple[Secret, ...] = ()
    agents: tuple[Ssh, ...] = ()
    entitlements: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    network: str = "default"
    squash: bool = False
    compress: bool = False
    call: Call = _BUILD
    reporting: Reporting = Reporting()


def options_of(
    values: Values, environment: Mapping[str, str], proxies: tuple[str, ...]
) -> BuildOptions:
    """Read a command line. ``proxies`` are ``NAME=value`` of the client's configuration.

    Raises InvalidArgumentError for what contradicts itself.
    """
    call: Call = values.one("call")
    if values.on("check"):
        call = call._replace(method="check")
    return BuildOptions(
        file=values.text("file"),
        target=values.text("target"),
        tags=tuple(checked_tag(tag) for tag in values.many("tag")),
        arguments=_arguments(values.many("build-arg"), environment, proxies),
        labels=tuple(_pair(text) for text in values.many("label")),
        platforms=_platforms(values, environment),
        contexts=values.many("build-context"),
        outputs=_outputs(values),
        attestations=_attestations(values),
        annotations=values.many("annotation"),
        cache=_cache(values),
        limits=_limits(values),
        secrets=values.many("secret"),
        agents=values.many("ssh"),
        entitlements=values.many("allow"),
        hosts=values.many("add-host"),
        network=values.text("network"),
        squash=values.on("squash"),
        compress=values.on("compress"),
        call=call,
        reporting=_reporting(values, environment),
    )


def checked_tag(tag: str) -> str:
    try:
        reference = parse(tag)
    except InvalidReferenceError as error:
        raise InvalidArgumentError(f'invalid tag "{tag}": {error}') from error
    if reference.digest:
        raise InvalidArgumentError(f'invalid tag "{tag}": a build cannot choose its digest')
    return tag


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _arguments(
    given: tuple[str, ...], environment: Mapping[str, str], proxies: tuple[str, ...]
) -> tuple[tuple[str, str | None], ...]:
    found: dict[str, str | None] = {}
    for text in (*proxies, *given):
        name, separator, value = text.partition("=")
        found[name] = value if separator else environment.get(name)
    epoch = environment.get("SOURCE_DATE_EPOCH")
    if epoch is not None:
        found.setdefault("SOURCE_DATE_EPOCH", epoch)
    return tuple(found.items())


def _platforms(values: Values, environment: Mapping[str, str]) -> tuple[str, ...]:
    default = environment.get("DOCKER_DEFAULT_PLATFORM", "")
    return values.many("platform") or ((default,) if default else ())


def _outputs(values: Values) -> tuple[Output, ...]:
    outputs: list[Output] = list(values.many("output"))
    if values.on("load") and not any(output.is_image for output in outputs):
        outputs.append(Output("docker", {}))
    if values.on("push"):
        outputs = _pushed(outputs)
    to_stdout = [output for output in outputs if output.destination == "-"]
    if len(to_stdout) > 1:
        raise InvalidArgumentError("only one output can go to standard output")
    return tuple(outputs)


def _pushed(outputs: list[Output]) -> list[Output]:
    push = {"push": "true"}
    if any(output.is_image for output in outputs):
        return [
            output._replace(type="image", attributes={**output.attributes, **push})
            if output.is_image
            else output
            for output in outputs
        ]
    return [*outputs, Output("image", push)]


def _attestations(values: Values) -> tuple[Attestation, ...]:
    found: list[Attestation] = list(values.many("attest"))
    for kind in ("provenance", "sbom"):
        if values.changed(kind):
            try:
                short = parse_shorthand(kind, values.text(kind))
            except ValueError as error:
                raise InvalidArgumentError(f"invalid --{kind}: {error}") from error
            found = [each for each in found if each.type != kind] + [short]
    return tuple(found)


def _cache(values: Values) -> CacheUse:
    if values.on("no-cache") and values.many("no-cache-filter"):
        raise InvalidArgumentError("--no-cache and --no-cache-filter cannot currently be combined")
    return CacheUse(
        values.on("no-cache"),
        values.many("no-cache-filter"),
        values.many("cache-from"),
        values.many("cache-to"),
        values.on("pull"),
        values.on("explain-cache"),
    )


def _limits(values: Values) -> Limits:
    resources = {name: values.text(name) for name in _RESOURCES if values.changed(name)}
    for text in values.many("resource"):
        name, _, value = text.partition("=")
        read = _RESOURCES.get(name)
        if read is None:
            raise InvalidArgumentError(
                f"unknown resource {name!r}: use one of {', '.join(_RESOURCES)}"
            )
        try:
            resources[name] = str(read(value))
        except ValueError as error:
            raise InvalidArgumentError(f"invalid --resource {text}: {error}") from error
    return Limits(
        tuple(resources.items()),
        values.many("ulimit"),
        values.number("shm-size"),
        values.text("cgroup-parent"),
        values.many("security-opt"),
    )


def _reporting(values: Values, environment: Mapping[str, str]) -> Reporting:
    mode = values.text("progress") or environment.get("BUILDKIT_PROGRESS", "") or "auto"
    if values.on("quiet"):
        if values.changed("progress") and mode not in ("auto", "quiet"):
            raise InvalidArgumentError(f"progress={mode} and quiet cannot be used together")
        mode = "quiet"
    wish = values.text("on-error") or "stop"
    if wish not in ("stop", "shell"):
        raise InvalidArgumentError(f"invalid --on-error {wish!r}: use stop or shell")
    return Reporting(
        check_mode(mode),
        os.path.abspath(values.text("iidfile")) if values.text("iidfile") else "",
        os.path.abspath(values.text("metadata-file")) if values.text("metadata-file") else "",
        wish == "shell",
        values.on("debug"),
    )
