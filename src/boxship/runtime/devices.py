"""What stands in every container's /dev, as Docker has it, and may be used there."""

from boxship.oci.runtime import DeviceRule
from boxship.runtime.steps import MakeLink, MakeNode

DEFAULT_NODES = tuple(
    MakeNode(f"/dev/{name}", "c", major, minor)
    for name, major, minor in (
        ("null", 1, 3),
        ("zero", 1, 5),
        ("full", 1, 7),
        ("random", 1, 8),
        ("urandom", 1, 9),
        ("tty", 5, 0),
    )
)
DEFAULT_LINKS = (
    MakeLink("/dev/fd", "/proc/self/fd"),
    MakeLink("/dev/stdin", "/proc/self/fd/0"),
    MakeLink("/dev/stdout", "/proc/self/fd/1"),
    MakeLink("/dev/stderr", "/proc/self/fd/2"),
    MakeLink("/dev/ptmx", "pts/ptmx"),
)
CORE_LINK = MakeLink("/dev/core", "/proc/kcore")

_RULES = (
    DeviceRule(allow=True, type="c", access="m"),
    DeviceRule(allow=True, type="b", access="m"),
    *(
        DeviceRule(allow=True, type="c", major=major, minor=minor, access="rwm")
        for major, minor in (
            (1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, None),
        )
    ),
)  # fmt: skip


def with_default_devices(rules: tuple[DeviceRule, ...]) -> tuple[DeviceRule, ...]:
    """Add what every container may use where it is not said: ``runc spec`` only denies all.

    Any node may be made. Rules that leave everything open, or are not there, are left alone.
    """
    everything = [rule for rule in rules if rule.type == "a"]
    if not everything or everything[-1].allow:
        return rules
    return (*rules, *(rule for rule in _RULES if rule not in rules))
