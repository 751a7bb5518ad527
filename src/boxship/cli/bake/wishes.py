"""A target as the wish that ``boxship build`` has: the same options, read by the same parsers."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.bake.target import Target
from boxship.cli.building import specs
from boxship.cli.building.inputs import Directory, Inputs, resolve
from boxship.cli.building.options import BuildOptions, CacheUse, Limits, Reporting, checked_tag
from boxship.cli.syntax.limits import parse_ulimit

T = TypeVar("T")
_BUILD = specs.Call()
_HERE = "cwd://"
_TARGET = "target:"


@dataclass(frozen=True, slots=True)
class Common:
    """What is the same for all targets: the client's part of the command line."""

    progress: str = "auto"
    allowed: tuple[str, ...] = ()
    call: specs.Call = _BUILD
    arguments: tuple[tuple[str, str | None], ...] = ()
    """Proxies, and the time that images shall have; a target's own go before them."""


def options_of(
    name: str, target: Target, common: Common, images: Mapping[str, str]
) -> BuildOptions:
    """Return the options of a target; ``images`` names the result of each target it builds on.

    Raise InvalidArgumentError for a field that can't be read, with the target's name.
    """
    read = _Reader(name)
    call = specs.parse_call(target.call) if target.call and not common.call.method else common.call
    return BuildOptions(
        target=target.target or "",
        tags=tuple(checked_tag(tag) for tag in target.tags or ()),
        arguments=tuple({**dict(common.arguments), **(target.args or {})}.items()),
        labels=tuple((target.labels or {}).items()),
        platforms=target.platforms or (),
        contexts=tuple(
            (context, _context(value, images)) for context, value in (target.contexts or {}).items()
        ),
        outputs=read.every("output", specs.parse_output, target.output),
        attestations=read.every("attest", specs.parse_attestation, target.attest),
        annotations=sum(
            read.every("annotations", specs.parse_annotation, target.annotations), start=()
        ),
        cache=_cache(target, read),
        limits=Limits(
            ulimits=read.every("ulimits", parse_ulimit, target.ulimits),
            shm_size=sum(read.every("shm-size", kinds.parse_size, _one(target.shm_size))),
        ),
        secrets=read.every("secret", specs.parse_secret, target.secret),
        agents=read.every("ssh", specs.parse_ssh, target.ssh),
        entitlements=tuple(dict.fromkeys((*(target.entitlements or ()), *common.allowed))),
        hosts=tuple(f"{host}={address}" for host, address in (target.extra_hosts or {}).items()),
        network=target.network or "default",
        call=call,
        reporting=Reporting(progress=common.progress),
    )


def _cache(target: Target, read: "_Reader") -> CacheUse:
    return CacheUse(
        disabled=target.no_cache or False,
        disabled_stages=target.no_cache_filter or (),
        sources=read.every("cache-from", specs.parse_cache, target.cache_from),
        targets=read.every("cache-to", specs.parse_cache, target.cache_to),
        pull=target.pull or False,
    )


def inputs_of(target: Target) -> Inputs:
    """Return where a target's files are; raise ExitError if they are not there."""
    context = (target.context or ".").removeprefix(_HERE) or "."
    if target.dockerfile_inline is not None:
        text = target.dockerfile_inline.encode()
        if os.path.isdir(context):
            return Inputs(Directory(os.path.abspath(context)), text=text)
        found = resolve(context, "Dockerfile")
        return Inputs(found.context, text=text)
    file = (target.dockerfile or "").removeprefix(_HERE)
    if os.path.isdir(context) and not os.path.isabs(file):
        # Bake's Dockerfiles are seen from the context, those of ``build`` from where one is.
        file = os.path.join(context, file or "Dockerfile")
    return resolve(context, file)


def needed_targets(target: Target) -> tuple[str, ...]:
    """Return the targets whose results are contexts of this one."""
    values = (target.contexts or {}).values()
    return tuple(one.removeprefix(_TARGET) for one in values if one.startswith(_TARGET))


def _context(value: str, images: Mapping[str, str]) -> str:
    if value.startswith(_TARGET):
        return f"docker-image://{images[value.removeprefix(_TARGET)]}"
    return value.removeprefix(_HERE) or "."


def _one(text: str | None) -> tuple[str, ...]:
    return (text,) if text else ()


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads fields with the parsers of flags; an error names target and field."""

    name: str

    def every(
        self, field: str, parse: Callable[[str], T], texts: Iterable[str] | None
    ) -> tuple[T, ...]:
        try:
            return tuple(parse(text) for text in texts or ())
        except ValueError as error:
            raise InvalidArgumentError(f"target {self.name}: {field}: {error}") from None
