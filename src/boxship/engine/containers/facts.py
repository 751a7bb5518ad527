"""What is written down of the things that happen to a container, so that it can be said why.

A row of the history (``records/history.py``) has an action and a :class:`Fact`, as JSON::

    create, destroy                    by whom
    start                              by whom, or what for: ``policy``, ``daemon-start``
    start-refused                      likewise, and the error
    signal                             which, by whom, in the course of what
    die                                exit code, signal, memory, what the restart policy says
    stop                               by whom; of one that waited for its next start
    pause, unpause                     by whom
    health_status: …                   what the probe said

Who sent the signal that ended it is put together when somebody asks (``reasons.py``).
"""

from enum import StrEnum

import msgspec
from msgspec import Struct

from boxship.model.requester import NOBODY, Requester


class Course(StrEnum):
    """In the course of what something was done."""

    UNKNOWN = ""
    START = "start"
    STOP = "stop"
    KILL = "kill"
    RESTART = "restart"
    REMOVE = "remove"
    POLICY = "policy"
    HEALTH = "health"
    DAEMON_START = "daemon-start"
    DAEMON_STOP = "daemon-stop"
    OTHER = "other"


class Fact(Struct, frozen=True, omit_defaults=True):
    """What there is to say about a row; what does not apply has its default."""

    by: Requester = NOBODY
    course: Course = Course.UNKNOWN
    name: str = ""
    signal: int = 0
    exit_code: int = 0
    verdict: str = ""
    """A ``policy.Verdict``."""
    oom_killed: bool = False
    memory_peak: int = 0
    memory_limit: int = 0
    error: str = ""
    output: str = ""
    """What a probe said."""


NOTHING = Fact()
MOST_OUTPUT = 256
_DECODER = msgspec.json.Decoder(Fact)


def written(fact: Fact) -> str:
    """Return it as it stands in the history."""
    return msgspec.json.encode(fact).decode() if fact != NOTHING else ""


def read(action: str, text: str) -> Fact:
    """Read what :func:`written` wrote, or what stood there before there were facts."""
    if text.startswith("{"):
        try:
            return _DECODER.decode(text)
        except msgspec.MsgspecError:
            return Fact(error=text)
    if action == "die" and text.isdigit():
        return Fact(exit_code=int(text))
    if action in ("create", "destroy"):
        return Fact(name=text)
    return Fact(error=text)
