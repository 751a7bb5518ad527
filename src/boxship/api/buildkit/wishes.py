"""What a client of BuildKit asks for, as a request of ours.

The frontend's attributes are BuildKit's Dockerfile frontend's (frontend/dockerui); those that
begin with ``boxship:`` are ours alone, and others ignore them. Of a name nobody knows nothing is
said: clients send what newer frontends understand.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from boxship.api.buildkit.attributes import (
    Attributes,
    boolean,
    fields,
    number,
    platform_list,
    prefixed,
    words,
)
from boxship.api.buildkit.outputs import outputs_of
from boxship.base.errors import InvalidArgumentError, NotImplementedYetError
from boxship.engine.build.requests import (
    CONTEXT,
    DOCKERFILE,
    Attestations,
    BuildRequest,
    CacheExport,
    CacheImport,
    CacheKind,
    CacheUse,
    ClientDirectory,
    ContextSource,
    DockerfileAt,
    ImageContext,
    LayoutContext,
    Pull,
    RemoteSource,
    TargetContext,
)
from boxship.solver.operations import Limits, Ulimit
from boxship.wire.buildkit.control import CacheOptions, CacheOptionsEntry
from boxship.wire.buildkit.control import SolveRequest as SolveMessage

FRONTEND = "dockerfile.v0"
UPLOADED = "http://buildkit-session/"
_PULL = {"": Pull.MISSING, "default": Pull.MISSING, "local": Pull.MISSING, "pull": Pull.ALWAYS}
_NETWORKS = {"": "default", "sandbox": "default", "default": "default", "none": "none"}
_REMOTE = ("http://", "https://", "git://", "ssh://", "git@", "github.com/")
_OURS = "boxship:"


@dataclass(frozen=True, slots=True)
class Wishes:
    """A frontend's attributes and inputs; inputs are names of other builds' results."""

    attributes: Attributes
    inputs: Mapping[str, str]


def request_of(message: SolveMessage, wishes: Wishes) -> BuildRequest:
    """Return the build that a Solve asks for. InvalidArgumentError names what is wrong."""
    given = wishes.attributes
    context = _context(wishes)
    pull = given.get("image-resolve-mode", "")
    if pull not in _PULL:
        raise InvalidArgumentError(f"invalid image-resolve-mode: {pull}")
    return BuildRequest(
        dockerfile=_dockerfile(wishes, context),
        context=context,
        contexts=_contexts(wishes),
        target=given.get("target", ""),
        build_args=prefixed(given, "build-arg:"),
        labels=prefixed(given, "label:"),
        platforms=platform_list(given),
        cache=_cache(message.cache or CacheOptions(), given),
        pull=_PULL[pull],
        outputs=outputs_of(message),
        attestations=_attestations(given),
        network=_network(given),
        extra_hosts=_hosts(given),
        hostname=given.get("build-arg:BUILDKIT_SANDBOX_HOSTNAME") or given.get("hostname", ""),
        limits=_limits(given),
        security_options=words(given, _OURS + "security-opt"),
        entitlements=frozenset(message.entitlements),
        source_date_epoch=_epoch(given),
        squash=boolean(given, _OURS + "squash"),
        check_only=given.get("requestid") == "frontend.lint",
        explain=boolean(given, _OURS + "explain-cache"),
        keep_failed=given.get(_OURS + "on-error") == "keep",
        reference=message.ref,
        recorded=not message.internal,
        frontend_attributes=dict(given),
    )


# ── where the files are ──────────────────────────────────────────────────────────────────────


def _context(wishes: Wishes) -> ContextSource:
    given = wishes.attributes.get(wishes.attributes.get("contextkey", CONTEXT), "")
    if given:
        return RemoteSource(given)
    if CONTEXT in wishes.inputs:
        return TargetContext(wishes.inputs[CONTEXT])
    return ClientDirectory(CONTEXT)


def _dockerfile(wishes: Wishes, context: ContextSource) -> DockerfileAt:
    given = wishes.attributes
    path = given.get("filename") or "Dockerfile"
    local = given.get("dockerfilekey", "")
    if local:
        return DockerfileAt(path, ClientDirectory(local))
    if isinstance(context, ClientDirectory):
        return DockerfileAt(path, ClientDirectory(DOCKERFILE))
    if DOCKERFILE in wishes.inputs and isinstance(context, TargetContext):
        return DockerfileAt(path, TargetContext(wishes.inputs[DOCKERFILE]))
    return DockerfileAt(path)


def _contexts(wishes: Wishes) -> dict[str, ContextSource]:
    return {
        name: _named_context(name, value, wishes)
        for name, value in prefixed(wishes.attributes, "context:").items()
    }


def _named_context(name: str, value: str, wishes: Wishes) -> ContextSource:
    kind, colon, rest = value.partition(":")
    rest = rest.removeprefix("//")
    if value.startswith(_REMOTE):
        return RemoteSource(value)
    if not colon:
        raise InvalidArgumentError(f"invalid context source {value} for {name}")
    if kind == "local":
        return ClientDirectory(rest)
    if kind == "docker-image":
        return ImageContext(rest)
    if kind == "oci-layout":
        store, _, _ = rest.partition("@")
        return LayoutContext(store.partition(":")[0], rest)
    if kind == "target":
        return TargetContext(rest)
    if kind == "input":
        return TargetContext(wishes.inputs.get(rest, rest))
    raise InvalidArgumentError(f"unsupported context source {kind} for {name}")


# ── the cache ────────────────────────────────────────────────────────────────────────────────


class _JsonEntry(msgspec.Struct, rename={"type": "Type", "attributes": "Attrs"}):
    type: str = ""
    attributes: dict[str, str] = {}


def _cache(options: CacheOptions, given: Attributes) -> CacheUse:
    stages = words(given, "no-cache")
    imports = [*options.imports, *_json_imports(given)]
    for reference in (*options.import_refs, *words(given, "cache-from")):
        imports.append(CacheOptionsEntry("registry", {"ref": reference}))
    exports = list(options.exports)
    if options.export_ref:
        exports.append(
            CacheOptionsEntry("registry", {**options.export_attrs, "ref": options.export_ref})
        )
    distinct = {(each.type, tuple(sorted(each.attrs.items()))): each for each in imports}
    return CacheUse(
        disabled="no-cache" in given and not stages,
        disabled_stages=stages,
        imports=tuple(CacheImport(_kind(e.type), e.attrs) for e in distinct.values()),
        exports=tuple(CacheExport(_kind(e.type), e.attrs) for e in exports),
    )


def _json_imports(given: Attributes) -> list[CacheOptionsEntry]:
    """Of clients that drive the build over the gateway the imports come as JSON."""
    text = given.get("cache-imports", "")
    if not text:
        return []
    try:
        entries = msgspec.json.decode(text, type=list[_JsonEntry])
    except msgspec.DecodeError as error:
        raise InvalidArgumentError(f"failed to unmarshal cache-imports: {error}") from error
    return [CacheOptionsEntry(entry.type, entry.attributes) for entry in entries]


def _kind(text: str) -> CacheKind:
    try:
        return CacheKind(text)
    except ValueError:
        known = ", ".join(CacheKind)
        raise NotImplementedYetError(
            f"caches of type {text!r} are not supported; known: {known}"
        ) from None


# ── how it runs ──────────────────────────────────────────────────────────────────────────────


def _network(given: Attributes) -> str:
    text = given.get("force-network-mode", "")
    return _NETWORKS.get(text, text)


def _hosts(given: Attributes) -> tuple[tuple[str, str], ...]:
    hosts = []
    for entry in fields(given.get("add-hosts", "")):
        name, equals, address = entry.partition("=")
        if not equals or not name or not address:
            raise InvalidArgumentError(
                f"invalid additional host {entry!r}: it must be name=address"
            )
        hosts.append((name, address))
    return tuple(hosts)


def _limits(given: Attributes) -> Limits:
    return Limits(
        memory=number(given, _OURS + "memory"),
        memory_swap=number(given, _OURS + "memory-swap"),
        cpu_shares=number(given, _OURS + "cpu-shares"),
        cpu_period=number(given, _OURS + "cpu-period"),
        cpu_quota=number(given, _OURS + "cpu-quota"),
        cpuset_cpus=given.get(_OURS + "cpuset-cpus", ""),
        cpuset_mems=given.get(_OURS + "cpuset-mems", ""),
        shm_size=number(given, "shm-size"),
        ulimits=tuple(_ulimit(entry) for entry in fields(given.get("ulimit", ""))),
        cgroup_parent=given.get("cgroup-parent", ""),
    )


def _ulimit(text: str) -> Ulimit:
    name, _, values = text.partition("=")
    soft, _, hard = values.partition(":")
    try:
        return Ulimit(name, int(soft), int(hard or soft))
    except ValueError:
        raise InvalidArgumentError(
            f"invalid ulimit {text!r}: it must be name=soft[:hard]"
        ) from None


def _epoch(given: Attributes) -> int | None:
    name = "build-arg:SOURCE_DATE_EPOCH"
    return number(given, name) if given.get(name) else None


def _attestations(given: Attributes) -> Attestations:
    wanted = prefixed(given, "attest:")
    provenance = _pairs(wanted["provenance"]) if "provenance" in wanted else {}
    sbom = _pairs(wanted["sbom"]) if "sbom" in wanted else {}
    mode = provenance.get("mode", "min") if "provenance" in wanted else ""
    if boolean(provenance, "disabled"):
        mode = ""
    return Attestations(
        provenance=mode,
        sbom="sbom" in wanted and not boolean(sbom, "disabled"),
        provenance_attributes=provenance,
        sbom_attributes=sbom,
    )


def _pairs(text: str) -> dict[str, str]:
    pairs = (field.partition("=") for field in fields(text))
    return {name: value for name, _, value in pairs if name}
