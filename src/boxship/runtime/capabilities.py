"""Capability names as Docker and the runtime spec write them, to bit masks and back."""

from __future__ import annotations

from boxship.base.errors import InvalidArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip

CAPABILITIES: dict[str, int] = {f"CAP_{name}": number for number, name in enumerate(_NAMES)}
ALL = (1 << len(_NAMES)) - 1


def mask_of(names: Iterable[str]) -> int:
    """Return the bits of ``names``; unknown ones are left out, as runc does with a warning."""
    mask = 0
    for name in names:
        mask |= 1 << CAPABILITIES[name] if name in CAPABILITIES else 0
    return mask


def unknown_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of ``names`` that no kernel we know has."""
    return tuple(name for name in names if name not in CAPABILITIES)


def names_of(mask: int) -> tuple[str, ...]:
    """Return the names of the bits in ``mask`` in the kernel's order."""
    return tuple(name for name, number in CAPABILITIES.items() if mask >> number & 1)


def numbers_of(mask: int) -> tuple[int, ...]:
    """Return the numbers of the bits in ``mask``."""
    return tuple(number for number in range(mask.bit_length()) if mask >> number & 1)


def adjust(
    default: Iterable[str], add: Iterable[str], drop: Iterable[str], available: int = ALL
) -> tuple[str, ...]:
    """Return the capabilities after ``--cap-add`` and ``--cap-drop``, in the kernel's order.

    Names may lack ``CAP_`` and be in any case; ``ALL`` is everything. All is cut to ``available``
    (what the daemon itself may give). An added one wins over ``--cap-drop ALL``, a dropped one over
    ``--cap-add ALL``. Raise InvalidArgumentError for a name that does not exist.
    """
    added, dropped = _normal(add, "add"), _normal(drop, "drop")
    everything = {name for name in CAPABILITIES if available >> CAPABILITIES[name] & 1}
    if "ALL" in added:
        chosen = everything - dropped
    elif "ALL" in dropped:
        chosen = added
    else:
        chosen = (set(default) - dropped) | added
    return tuple(name for name in CAPABILITIES if name in chosen & everything)


def _normal(names: Iterable[str], what: str) -> set[str]:
    result = set()
    for name in names:
        upper = name.upper()
        full = upper if upper == "ALL" or upper.startswith("CAP_") else f"CAP_{upper}"
        if full != "ALL" and full not in CAPABILITIES:
            raise InvalidArgumentError(
                f'invalid CapAdd: unknown capability: "{full}"'
                if what == "add"
                else f'invalid CapDrop: unknown capability: "{full}"'
            )
        result.add(full)
    return result
