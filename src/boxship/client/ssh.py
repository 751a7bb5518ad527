"""A daemon on another machine: ``ssh`` runs a program there that passes the API's bytes on.

::

    our socket pair ── ssh ──► boxship system dial-stdio ──► the daemon's socket there

Where Boxship is not installed, Docker's client does the same. Keys, hosts, agents, jumps and
passwords are ssh's business, and its configuration applies.
"""

import shlex
import shutil
import socket
import subprocess
from contextlib import suppress

from boxship.client.endpoint import SshEndpoint
from boxship.client.errors import DaemonUnreachableError
from boxship.client.transport import PlainConnection

_REMOTE = (
    "if command -v boxship >/dev/null; then exec boxship {options}system dial-stdio; "
    "else exec docker {options}system dial-stdio; fi"
)
_PATIENCE = 5.0
_LAST_WORDS = 2000


class SshConnection(PlainConnection):
    """A connection that ends with its ssh, and tells what ssh said if nothing came through it."""

    def __init__(self, endpoint: SshEndpoint) -> None:
        if shutil.which("ssh") is None:
            raise DaemonUnreachableError(f"cannot connect to {endpoint}: there is no ssh here")
        self._endpoint = endpoint
        self._answered = False
        ours, theirs = socket.socketpair()
        super().__init__(ours)
        with theirs:
            self._process = subprocess.Popen(
                command(endpoint),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
            )

    def receive(self) -> bytes:
        try:
            data = super().receive()
        except ConnectionResetError:
            data = b""
        if not data and not self._answered:
            raise self._refused()
        self._answered = True
        return data

    def send(self, data: bytes) -> None:
        try:
            super().send(data)
        except BrokenPipeError:
            if not self._answered:
                raise self._refused() from None
            raise

    def close(self) -> None:
        super().close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stderr is not None:
            self._process.stderr.close()

    def _refused(self) -> DaemonUnreachableError:
        words = ""
        with suppress(subprocess.TimeoutExpired, ValueError):
            _, errors = self._process.communicate(timeout=_PATIENCE)
            words = errors[-_LAST_WORDS:].decode("utf-8", "replace").strip()
        code = self._process.poll()
        return DaemonUnreachableError(
            f"cannot connect to the daemon at {self._endpoint}: ssh ended with code {code}"
            + (f": {words}" if words else "")
        )


def command(endpoint: SshEndpoint) -> list[str]:
    """What is run here."""
    options = ["-o", "ConnectTimeout=30", "-T"]
    options += ["-l", endpoint.user] if endpoint.user else []
    options += ["-p", str(endpoint.port)] if endpoint.port else []
    # A shell reads it there, whatever the path looks like.
    there = f"--host {shlex.quote(f'unix://{endpoint.path}')} " if endpoint.path else ""
    return ["ssh", *options, "--", endpoint.host, _REMOTE.format(options=there)]
