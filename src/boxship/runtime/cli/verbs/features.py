"""``features``: print what this runtime can do as JSON, as the specification has it."""

import json

from boxship import __version__
from boxship.oci.runtime import NAMESPACES, SECCOMP_ACTIONS, SECCOMP_OPERATORS
from boxship.runtime.capabilities import CAPABILITIES
from boxship.runtime.cli.call import Call
from boxship.runtime.options import known_options

_HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_ARCHITECTURES = ("X86_64", "X86", "X32", "AARCH64", "ARM")


def run(_: Call) -> int:
    """Print it."""
    document = {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": "1.2.0",
        "hooks": _HOOKS,
        "mountOptions": known_options(),
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
        "netDevices": {"enabled": True},
    }


_FILTER_FLAGS = [
    f"SECCOMP_FILTER_FLAG_{name}" for name in ("TSYNC", "SPEC_ALLOW", "LOG", "WAIT_KILLABLE_RECV")
]
