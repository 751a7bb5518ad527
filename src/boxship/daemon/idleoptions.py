"""Options of dockerd's that mean nothing here. They are accepted, because daemons are started by
scripts and test benches that pass them, and it is told why they do nothing.
"""

from collections.abc import Mapping
from types import MappingProxyType

from boxship.daemon.jsontext import shown
from boxship.daemon.option import Check, Kind, Option, SettingError, Value

_CONTAINERD = "there is no containerd: containers and images are the daemon's own"
_GONE = "Docker has removed it"
_SWARM = "it is for swarms, which this engine is in none of"
_PLAIN = "the log never has colours, and always full timestamps"

FEATURES = frozenset({"cdi", "keep-blobs"})
"""Those that mean something here."""
IDLE_FEATURES: Mapping[str, str] = MappingProxyType(
    {
        "buildkit": "both builders are always there, and clients choose",
        "containerd-migration": _CONTAINERD,
        "containerd-snapshotter": _CONTAINERD,
        "embedded-containerd": _CONTAINERD,
        "swarm-nftables": _SWARM,
        "time-namespaces": "containers have the host's clocks",
        "windows-dns-proxy": "it is for Windows",
    }
)

# Key, flag (empty: as the key; "-": none), kind, why. Their defaults never matter.
_IDLE: tuple[tuple[str, str, Kind, str], ...] = (
    ("allow-nondistributable-artifacts", "", Kind.LIST, _GONE),
    ("containerd", "", Kind.TEXT, _CONTAINERD),
    ("containerd-namespace", "", Kind.TEXT, _CONTAINERD),
    ("containerd-plugin-namespace", "containerd-plugins-namespace", Kind.TEXT, _CONTAINERD),
    ("cri-containerd", "", Kind.FLAG, _CONTAINERD),
    ("deprecated-key-path", "-", Kind.OBJECT, _GONE),
    ("network-control-plane-mtu", "", Kind.NUMBER, _SWARM),
    ("nri-opts", "", Kind.TREE, "there is no Node Resource Interface"),
    ("raw-logs", "", Kind.FLAG, _PLAIN),
    (
        "rootless", "", Kind.FLAG,
        "whether the daemon's user is root outside is found out, and not told",
    ),
    ("selinux-enabled", "", Kind.FLAG, "containers get no SELinux labels"),
    ("swarm-default-advertise-addr", "", Kind.TEXT, _SWARM),
    (
        "userland-proxy", "", Kind.FLAG,
        "ports are always published by the kernel, on 127.0.0.1 as well; [::1] is refused",
    ),
    ("userland-proxy-path", "", Kind.TEXT, "no program is needed to publish ports"),
    ("", "restart", Kind.FLAG, f"{_GONE}: use restart policies of containers"),
)  # fmt: skip

_NRI = ("enable", "plugin-path", "plugin-config-path", "socket-path")
_SWITCH: Mapping[str, bool] = MappingProxyType(
    {"true": True, "false": False, "1": True, "0": False}
)


def _check_nri(value: Value) -> None:
    """Check what a Node Resource Interface would be told. SettingError names what is wrong."""
    given = _nri_words(value) if isinstance(value, str) else value
    for key, inner in given.items() if isinstance(given, dict) else ():
        path = ("nri-opts", key)
        if key not in _NRI:
            told = f"nri-opts: unknown key {shown(key)} (known are {', '.join(_NRI)})"
            raise SettingError(path, told)
        wanted, kind = ("true or false", bool) if key == "enable" else ("a text", str)
        if not isinstance(inner, kind):
            raise SettingError(path, f"nri-opts.{key}: expected {wanted}, got {shown(inner)}")


def _nri_words(text: str) -> dict[str, object]:
    """Read ``enable=true,socket-path=…``, the flag's form."""
    words = dict(word.partition("=")[::2] for word in text.split(",") if word)
    return {
        key: _SWITCH.get(word, word) if key == "enable" else word for key, word in words.items()
    }


_CHECKS: Mapping[str, Check] = MappingProxyType({"nri-opts": _check_nri})

IDLE_OPTIONS: tuple[Option, ...] = tuple(
    Option(
        key, "" if flag == "-" else flag or key, kind, None, "Accepted, no effect", idle=why,
        check=_CHECKS.get(key),
    )
    for key, flag, kind, why in _IDLE
)  # fmt: skip
