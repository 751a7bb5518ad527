"""A filter that asks an agent: the listener reaches it, with the state the spec wants."""

import json
import os
import signal
import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.oci.runtime import Seccomp, SeccompRule
from support.boxes import Box

pytestmark = pytest.mark.privileged

PROFILE = Seccomp(
    "SCMP_ACT_ALLOW",
    listener_metadata="for the agent",
    syscalls=(SeccompRule(("mkdir", "mkdirat"), "SCMP_ACT_NOTIFY"),),
)


@pytest.mark.spec("annotations", "linux.seccomp.listenerPath", "linux.seccomp.listenerMetadata")
def test_an_agent_is_given_the_listener(box: Box, tmp_path: Path) -> None:
    path = tmp_path / "agent.sock"
    box.change_linux(seccomp=replace(PROFILE, listener_path=str(path)))
    box.spec = replace(box.spec, annotations={"who": "me"})
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(path))
        agent.listen()
        # The listener is closed unread, so the call that asks gets ENOSYS.
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(10)
            connection, _ = agent.accept()
            data, fds, _, _ = socket.recv_fds(connection, 65536, 4)
            link = os.readlink(f"/proc/self/fd/{fds[0]}")
            (tmp_path / "heard").write_text(json.dumps([data.decode(), link, len(fds)]))
            os._exit(0)
        result = box.run("sh", "-c", "mkdir /x || echo refused")
        os.waitpid(pid, 0)
    assert result.failure is None, result.failure
    assert result.output == "refused\n"
    text, link, count = json.loads((tmp_path / "heard").read_text())
    state = json.loads(text)
    assert (link, count) == ("anon_inode:seccomp notify", 1)
    assert state["fds"] == ["seccompFd"]
    assert state["metadata"] == "for the agent"
    assert state["state"]["annotations"] == {"who": "me"}
    assert state["state"]["status"] == "creating"
    assert state["pid"] == state["state"]["pid"] > 1
    assert stat.S_ISSOCK(path.stat().st_mode)


def test_without_an_agent_nothing_starts(box: Box, tmp_path: Path) -> None:
    box.change_linux(seccomp=replace(PROFILE, listener_path=str(tmp_path / "nobody")))
    failure = box.run("true").failure
    assert failure is not None
    assert "linux.seccomp.listenerPath" in failure[2]
