"""A wish in BuildKit's terms: attributes of its frontend for Dockerfiles, and exporters. Pure.

What only Boxship's builder knows has names that begin with ``boxship:``; another builder passes
over them.
"""

import json
from collections.abc import Iterable
from typing import NamedTuple

from boxship.base.errors import InvalidArgumentError
from boxship.cli.building.options import BuildOptions
from boxship.cli.building.specs import STDOUT, Attestation, Cache, Output
from boxship.oci.reference import parse

MOBY = "moby"
"""The exporter that leaves an image in the engine's own store."""

_NETWORKS = {"host": "host", "none": "none", "default": ""}


class Exporter(NamedTuple):
    """``destination``: where the client puts what it is sent; empty if nothing is."""

    type: str
    attributes: dict[str, str]
    destination: str = ""


def frontend_attributes(options: BuildOptions) -> dict[str, str]:
    """Return them, without those that say where files are."""
    found: dict[str, str] = {}
    if options.target:
        found["target"] = options.target
    for name, value in options.arguments:
        if value is not None:
            found[f"build-arg:{name}"] = value
    found |= {f"label:{name}": value for name, value in options.labels}
    if options.platforms:
        found["platform"] = ",".join(options.platforms)
    if options.hosts:
        found["add-hosts"] = ",".join(options.hosts)
    found |= _network(options.network)
    found |= _cache(options)
    found |= _limits(options)
    found |= {f"attest:{each.type}": _fields(each) for each in options.attestations}
    if options.squash:
        found["boxship:squash"] = "1"
    if options.reporting.shell_on_error:
        found["boxship:on-error"] = "keep"
    return found


def _network(network: str) -> dict[str, str]:
    if network in _NETWORKS:
        return {"force-network-mode": _NETWORKS[network]} if _NETWORKS[network] else {}
    return {"force-network-mode": network}


def _cache(options: BuildOptions) -> dict[str, str]:
    cache, found = options.cache, {}
    if cache.disabled:
        found["no-cache"] = ""
    elif cache.disabled_stages:
        found["no-cache"] = ",".join(cache.disabled_stages)
    if cache.pull:
        found["image-resolve-mode"] = "pull"
    if cache.sources:
        rows = [{"Type": each.type, "Attrs": dict(each.attributes)} for each in cache.sources]
        found["cache-imports"] = json.dumps(rows, separators=(",", ":"))
    if cache.explain:
        found["boxship:explain-cache"] = "1"
    return found


def _limits(options: BuildOptions) -> dict[str, str]:
    limits, found = options.limits, {}
    if limits.shm_size:
        found["shm-size"] = str(limits.shm_size)
    if limits.ulimits:
        found["ulimit"] = ",".join(
            f"{each['Name']}={each['Soft']}:{each['Hard']}" for each in limits.ulimits
        )
    if limits.cgroup_parent:
        found["cgroup-parent"] = limits.cgroup_parent
    found |= {f"boxship:{name}": value for name, value in limits.resources}
    if limits.security:
        found["boxship:security-opt"] = ",".join(limits.security)
    return found


def _fields(attestation: Attestation) -> str:
    if attestation.disabled:
        return "disabled=true"
    return ",".join(f"{name}={value}" for name, value in attestation.attributes)


def exporters(options: BuildOptions) -> tuple[Exporter, ...]:
    """Return where the result goes; the engine's images if nothing else is said."""
    if options.call.method:
        return ()
    return tuple(_exporter(each, options) for each in options.outputs or (Output("image", {}),))


def _exporter(output: Output, options: BuildOptions) -> Exporter:
    attributes = dict(output.attributes)
    if output.is_image or output.type in ("docker", "oci"):
        names = [canonical(tag) for tag in options.tags]
        if names and "name" not in attributes:
            attributes["name"] = ",".join(names)
        attributes |= dict(options.annotations)
    if not output.is_image:
        if output.type in ("docker", "oci") and attributes.pop("tar", "true") == "false":
            raise InvalidArgumentError(
                f"output type={output.type},tar=false is not supported: write a tar and unpack it"
            )
        return Exporter(output.type, attributes, output.destination)
    if output.is_pushed and not attributes.get("name"):
        raise InvalidArgumentError("tag is needed when pushing to registry")
    return Exporter(MOBY, attributes)


def canonical(name: str) -> str:
    """``busybox`` as ``docker.io/library/busybox:latest``."""
    return str(parse(name).with_default_tag())


def cache_exports(caches: Iterable[Cache]) -> tuple[Cache, ...]:
    """What is left to whom; only the smallest part of it if nothing else is said."""
    return tuple(
        each
        if "mode" in each.attributes or each.type == "inline"
        else Cache(each.type, {"mode": "min", **each.attributes})
        for each in caches
    )


def writes_stdout(options: BuildOptions) -> bool:
    return any(output.destination == STDOUT for output in options.outputs)
