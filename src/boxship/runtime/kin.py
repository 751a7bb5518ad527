"""Whether a process is one that was born for us.

A process on its way into a container tells its parent who has been born. With CAP_SYS_PTRACE the
container can take it over meanwhile and name any process of the host's, which we would then kill,
or show to others as the container's. The kernel knows better: whoever is born for us is our child,
or, as our sibling, our parent's; and of these there are none but the same container's.
"""

import os

from boxship.kernel import namespaces


def is_kin(pid: int, pidfd: int, *, sibling: bool) -> bool:
    """Tell whether ``pid`` and ``pidfd`` are both one child of ours; ``sibling``: our parent's."""
    try:
        known = os.pidfd_open(pid)
        try:
            number = namespaces.number_of(known)
        finally:
            os.close(known)
        if number != namespaces.number_of(pidfd):
            return False
        if sibling:
            return _parent_of(str(number)) == _parent_of("self")
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ProcessLookupError, FileNotFoundError, ChildProcessError):
        return False
    return True


def _parent_of(process: str) -> bytes:
    with open(f"/proc/{process}/stat", "rb", buffering=0) as stream:
        # The name, in parentheses, may hold anything.
        return stream.read(1024).rpartition(b")")[2].split(None, 2)[1]
