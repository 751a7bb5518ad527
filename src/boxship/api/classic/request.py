"""What a query of ``POST /build`` asks for, as the builder is asked. Pure.

``rm`` and ``forcerm`` are about containers in which steps ran: none outlives its step here.
"""

import posixpath
from collections.abc import Sequence

from boxship.api.call import Call
from boxship.api.platforms import wanted_platforms
from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.requests import (
    NO_SECURITY_OPTIONS,
    BuildRequest,
    CacheImport,
    CacheKind,
    CacheUse,
    DockerfileAt,
    ImageOutput,
    Pull,
)
from boxship.oci.platform import Platform
from boxship.oci.reference import InvalidReferenceError, Reference
from boxship.oci.reference import parse as parse_reference
from boxship.solver.operations import Limits, Ulimit
from boxship.wire import builds

DOCKERFILE = "Dockerfile"
_LEAST_MEMORY = 6 << 20
_OWN_NETWORK = frozenset({"", "default", "bridge"})


def build_request(call: Call) -> BuildRequest:
    """Read the query; the context is not in it. InvalidArgumentError names what is wrong."""
    _check_isolation(call.text("isolation"))
    _check_security(call.request.query.get("securityopt", ()))
    return BuildRequest(
        dockerfile=DockerfileAt(dockerfile_path(call.text("dockerfile"))),
        target=call.text("target"),
        build_args=builds.build_arguments(call.text("buildargs")),
        labels=builds.labels(call.text("labels")),
        platforms=_platforms(call),
        cache=_cache(call),
        pull=Pull.ALWAYS if call.boolean("pull") else Pull.MISSING,
        outputs=(ImageOutput(image_names(call.request.query.get("t", ()))),),
        network=_network(call.text("networkmode")),
        extra_hosts=tuple(_host(text) for text in call.request.query.get("extrahosts", ())),
        limits=_limits(call),
        entitlements=frozenset({"network.host"}),
        squash=call.boolean("squash"),
        classic=True,
        reference=call.text("buildid"),
    )


def dockerfile_path(text: str) -> str:
    """Return the Dockerfile's path within the context."""
    path = posixpath.normpath(text.replace("\\", "/").lstrip("/")) if text else DOCKERFILE
    if path == ".." or path.startswith("../"):
        raise InvalidArgumentError(f"forbidden path outside the build context: {text} ()")
    return path


def image_names(texts: list[str] | tuple[()]) -> tuple[Reference, ...]:
    """Read ``t``: each name once, with a tag; a digest cannot be given away."""
    names: dict[Reference, None] = {}
    for text in filter(None, texts):
        try:
            name = parse_reference(text).with_default_tag()
        except InvalidReferenceError as error:
            raise InvalidArgumentError(f"{error}: {text}") from error
        if name.digest is not None:
            raise InvalidArgumentError(f"build tag cannot contain a digest: {text}")
        names[name] = None
    return tuple(names)


def _check_isolation(text: str) -> None:
    if text.lower() not in ("", "default"):
        raise InvalidArgumentError(f'unsupported isolation: "{text}"')


def _check_security(options: Sequence[str]) -> None:
    """Steps have the default profile; what would not be applied is not accepted either."""
    if options:
        raise InvalidArgumentError(NO_SECURITY_OPTIONS)


def _platforms(call: Call) -> tuple[Platform, ...]:
    found = wanted_platforms(call)
    if len(found) > 1:
        raise InvalidArgumentError("only one platform can be built for here; BuildKit's API can")
    return found


def _cache(call: Call) -> CacheUse:
    names = builds.cache_sources(call.text("cachefrom"))
    imports = tuple(CacheImport(CacheKind.REGISTRY, {"ref": name}) for name in names if name)
    return CacheUse(disabled=call.boolean("nocache"), imports=imports)


def _network(text: str) -> str:
    return "default" if text in _OWN_NETWORK else text


def _host(text: str) -> tuple[str, str]:
    name, separator, address = text.partition(":")
    if not (name and separator and address):
        raise InvalidArgumentError(f'bad format for add-host: "{text}"; name:address is meant')
    return name, address.removeprefix("[").removesuffix("]")


def _limits(call: Call) -> Limits:
    memory, shm_size = call.integer("memory") or 0, call.integer("shmsize") or 0
    if 0 < memory < _LEAST_MEMORY:
        raise InvalidArgumentError("Minimum memory limit allowed is 6MB")
    if memory < 0 or shm_size < 0:
        raise InvalidArgumentError("SHM size and memory must not be less than 0")
    return Limits(
        memory=memory,
        memory_swap=call.integer("memswap") or 0,
        cpu_shares=call.integer("cpushares") or 0,
        cpu_period=call.integer("cpuperiod") or 0,
        cpu_quota=call.integer("cpuquota") or 0,
        cpuset_cpus=call.text("cpusetcpus"),
        cpuset_mems=call.text("cpusetmems"),
        shm_size=shm_size,
        ulimits=tuple(
            Ulimit(each.name, each.soft, each.hard) for each in builds.ulimits(call.text("ulimits"))
        ),
        cgroup_parent=call.text("cgroupparent"),
    )
