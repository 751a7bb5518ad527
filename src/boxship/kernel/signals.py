"""Signals by their plain numbers.

The standard module makes enumerations of them first, which takes more time than starting a
container's process does.
"""

# What `signal` itself wraps.
import _signal  # type: ignore[import-not-found]
from _signal import (
    NSIG,
    SIG_DFL,
    SIG_IGN,
    SIG_SETMASK,
    SIGCHLD,
    SIGHUP,
    SIGINT,
    SIGKILL,
    SIGPIPE,
    SIGQUIT,
    SIGTERM,
    SIGUSR1,
    SIGUSR2,
    getsignal,
    pidfd_send_signal,
    pthread_sigmask,
    signal,
    valid_signals,
)


def number_of(name: str) -> int:
    """Return the number of ``SIGKILL`` and the like; raise KeyError."""
    if not name.startswith("SIG") or name.startswith("SIG_"):
        raise KeyError(name)
    return int(vars(_signal)[name])


def name_of(number: int) -> str:
    """Return a signal's name, such as ``SIGKILL``."""
    import signal as standard

    try:
        return standard.Signals(number).name
    except ValueError:  # a realtime signal between the first and the last
        return f"SIG{number}"


__all__ = [
    "NSIG",
    "SIGCHLD",
    "SIGHUP",
    "SIGINT",
    "SIGKILL",
    "SIGPIPE",
    "SIGQUIT",
    "SIGTERM",
    "SIGUSR1",
    "SIGUSR2",
    "SIG_DFL",
    "SIG_IGN",
    "SIG_SETMASK",
    "getsignal",
    "name_of",
    "number_of",
    "pidfd_send_signal",
    "pthread_sigmask",
    "signal",
    "valid_signals",
]
