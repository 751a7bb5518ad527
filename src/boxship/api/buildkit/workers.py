"""What the builder says of itself: who works, for which platforms, and what may be asked of it."""

from boxship import __version__
from boxship.oci import platform as platforms
from boxship.wire.buildkit.solver import Platform
from boxship.wire.buildkit.worker import APICap, BuildkitVersion, WorkerRecord

_LABEL = "org.mobyproject.buildkit.worker."
VERSION = BuildkitVersion("boxship", f"v0.13.2+boxship.{__version__}", "")
"""The version whose API this is; what clients do depends on it."""

_GATEWAY = (
    "solve.base", "solve.inlinereturn", "return", "returnmap", "importcaches", "proto.refarray",
    "reference.output", "frontend.inputs", "gateway.solve.metadata", "frontend.caps",
    "gateway.solve.evaluate", "gateway.evaluate",
)  # fmt: skip
_LLB = (
    "source.image", "source.image.resolvemode", "source.local", "source.local.unique",
    "source.local.sessionid", "source.local.includepatterns", "source.local.followpaths",
    "source.local.excludepatterns", "source.local.sharedkeyhint", "source.local.differ",
    "source.git", "source.git.keepgitdir", "source.git.fullurl", "source.git.httpauth",
    "source.git.knownsshhosts", "source.git.mountsshsock", "source.git.subdir", "source.http",
    "source.http.checksum", "source.http.perm", "source.ocilayout",
    "exec.meta.base", "exec.meta.cgroup.parent", "exec.meta.network", "exec.meta.proxyenv",
    "exec.meta.security", "exec.meta.setsdefaultpath", "exec.meta.ulimit",
    "exec.meta.removemountstubs.recursive", "exec.mount.bind",
    "exec.mount.bind.readwrite-nooutput", "exec.mount.cache", "exec.mount.cache.sharing",
    "exec.mount.selector", "exec.mount.tmpfs", "exec.mount.tmpfs.size", "exec.mount.secret",
    "exec.mount.ssh", "exec.cgroup", "exec.secretenv", "file.base", "file.rm.wildcard",
    "file.copy.includeexcludepatterns", "file.rm.nofollowsymlink",
    "file.copy.alwaysreplaceexistingdestpaths", "constraints", "platform", "meta.ignorecache",
    "meta.description", "meta.exportcache", "mergeop", "diffop", "exporter.image.annotations",
    "exporter.image.attestations", "exporter.sourcedateepoch", "exporter.multiple",
    "gc.freespacefilter", "history.filter",
)  # fmt: skip
"""Clients compare these with what they want to ask for."""

FRONTEND_CAPS = tuple(APICap(id=name, enabled=True) for name in _GATEWAY)
LLB_CAPS = tuple(APICap(id=name, enabled=True) for name in _LLB)


def worker(identifier: str, snapshotter: str, hostname: str, host_gateway: str) -> WorkerRecord:
    """Return the one worker there is.

    Its label ``snapshotter`` tells clients of the docker driver that the builder writes into the
    image store itself, and can therefore do all that BuildKit alone can: export archives, caches,
    several platforms. ``host_gateway`` is what they put for ``--add-host name:host-gateway``.
    """
    own = platforms.host()
    gateway = {_LABEL + "moby.host-gateway-ip": host_gateway} if host_gateway else {}
    return WorkerRecord(
        id=identifier,
        labels={
            _LABEL + "executor": "boxship",
            _LABEL + "hostname": hostname,
            _LABEL + "network": "host",
            _LABEL + "oci.process-mode": "sandbox",
            _LABEL + "selinux.enabled": "false",
            _LABEL + "snapshotter": snapshotter,
            **gateway,
        },
        platforms=(Platform(own.architecture, own.os, own.variant),),
        buildkit_version=VERSION,
    )
