"""What stands in every container's /dev, as Docker has it."""

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
