"""``features``: print what this runtime can do as JSON, as the specification has it."""

import json

from boxship import __version__
from boxship.oci.runtime import NAMESPACES, SECCOMP_ACTIONS, SECCOMP_OPERATORS
from boxship.runtime.capabilities import CAPABILITIES
from boxship.runtime.cli.call import Call

_HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_ARCHITECTURES = ("X86_64", "X86", "X32", "AARCH64", "ARM")
_MOUNT_OPTIONS = (
    "async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "iversion",
    "lazytime", "loud", "mand", "noatime", "nodev", "nodiratime", "noexec", "noiversion",
    "nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid", "nosymfollow", "private",
    "ratime", "rbind", "rdev", "rdiratime", "relatime", "remount", "rexec", "rnoatime", "rnodev",
    "rnodiratime", "rnoexec", "rnorelatime", "rnostrictatime", "rnosuid", "rnosymfollow", "ro",
    "rprivate", "rrelatime", "rro", "rrw", "rshared", "rslave", "rstrictatime", "rsuid",
    "rsymfollow", "runbindable", "rw", "shared", "silent", "slave", "strictatime", "suid",
    "symfollow", "sync", "tmpcopyup", "unbindable",
)  # fmt: skip


def run(_: Call) -> int:
    """Print it."""
    document = {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": "1.2.0",
        "hooks": _HOOKS,
        "mountOptions": _MOUNT_OPTIONS,
        "linux": _linux(),
        "annotations": {"io.github.boxship.version": __version__},
    }
    print(json.dumps(document, indent=4))
    return 0


def _linux() -> dict[str, object]:
    return {
        "namespaces": sorted(NAMESPACES),
        "capabilities": list(CAPABILITIES),
        "cgroup": {"v1": True, "v2": True, "systemd": True, "systemdUser": False, "rdma": True},
        "seccomp": {
            "enabled": True,
            "actions": list(SECCOMP_ACTIONS),
            "operators": list(SECCOMP_OPERATORS),
            "archs": [f"SCMP_ARCH_{name}" for name in _ARCHITECTURES],
            "knownFlags": _FILTER_FLAGS,
            "supportedFlags": _FILTER_FLAGS,
        },
        "apparmor": {"enabled": True},
        "selinux": {"enabled": True},
        "intelRdt": {"enabled": True},
        "mountExtensions": {"idmap": {"enabled": True}},
    }


_FILTER_FLAGS = [
    f"SECCOMP_FILTER_FLAG_{name}" for name in ("TSYNC", "SPEC_ALLOW", "LOG", "WAIT_KILLABLE_RECV")
]
