"""What this client offers a builder for the time of a build: files, secrets, agents, logins."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from typing import NamedTuple

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.cli.building.inputs import Archive
from boxship.cli.building.specs import Secret, Ssh
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.keychain import HUB_KEY
from boxship.cli.registryauth import login_at
from boxship.cli.session import Session
from boxship.client.buildkit import services
from boxship.client.buildkit.directories import Source
from boxship.client.buildkit.link import Serve
from boxship.client.buildkit.receiving import Target, file_send
from boxship.client.buildkit.sending import file_sync, shared_key

_LONGEST_SECRET = 500 * 1024
"""What BuildKit's clients send at most."""
_HUB_HOSTS = ("registry-1.docker.io", "docker.io", "index.docker.io")


class SecretSource(NamedTuple):
    """Where a secret is; read when a step wants it."""

    id: str
    path: str = ""
    value: str | None = None

    def read(self) -> bytes:
        if self.value is not None:
            return self.value.encode("utf-8", "surrogateescape")
        with open(self.path, "rb") as file:
            data = file.read(_LONGEST_SECRET + 1)
        if len(data) > _LONGEST_SECRET:
            raise InvalidArgumentError(
                f"invalid secret size: {self.path} is larger than {_LONGEST_SECRET} bytes"
            )
        return data

    def __repr__(self) -> str:
        return f"SecretSource({self.id!r})"


def secret_source(secret: Secret, environment: Mapping[str, str]) -> SecretSource:
    """``id`` alone is the variable of that name, or else the file."""
    if secret.variable:
        value = environment.get(secret.variable)
        if value is None:
            raise NotFoundError(f"secret {secret.id}: the variable {secret.variable} is not set")
        return SecretSource(secret.id, value=value)
    if not secret.path and secret.id in environment:
        return SecretSource(secret.id, value=environment[secret.id])
    path = os.path.abspath(secret.path or secret.id)
    if not os.path.isfile(path):
        raise ExitError(FAILURE, f"failed to stat {path}: no such file: secret {secret.id}")
    return SecretSource(secret.id, path=path)


def open_agents(
    wishes: tuple[Ssh, ...], environment: Mapping[str, str], stack: ExitStack
) -> dict[str, str]:
    """Return the agents' sockets by id. Keys get an agent of their own, which ``stack`` ends."""
    return {wish.id: _agent(wish, environment, stack) for wish in wishes}


def _agent(wish: Ssh, environment: Mapping[str, str], stack: ExitStack) -> str:
    if not wish.paths:
        socket = environment.get("SSH_AUTH_SOCK", "")
        if not socket:
            raise InvalidArgumentError(
                f"invalid empty ssh agent socket for --ssh {wish.id}: start an agent, so that "
                "SSH_AUTH_SOCK is set, or name a key: --ssh ID=FILE"
            )
        return socket
    sockets = [path for path in wish.paths if _is_socket(path)]
    if sockets and len(wish.paths) > 1:
        raise InvalidArgumentError(f"--ssh {wish.id}: only a single socket is allowed, or keys")
    return sockets[0] if sockets else _agent_of_keys(wish, stack)


def _is_socket(path: str) -> bool:
    import stat

    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError as error:
        raise ExitError(FAILURE, f"failed to stat {path}: {error.strerror}") from error


def _agent_of_keys(wish: Ssh, stack: ExitStack) -> str:
    """Start ``ssh-agent`` with the keys; what it may be asked is to sign, and nobody else asks."""
    directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="boxship-ssh-"))
    socket = os.path.join(directory, "agent")
    try:
        agent = subprocess.Popen(
            ["ssh-agent", "-D", "-a", socket], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
    except FileNotFoundError as error:
        raise ExitError(FAILURE, "--ssh with a key needs the program ssh-agent") from error
    stack.callback(_end, agent)
    if agent.stdout is not None:
        agent.stdout.readline()  # it says where it listens, once it does
    environment = {**os.environ, "SSH_AUTH_SOCK": socket}
    done = subprocess.run(
        ["ssh-add", "-q", "--", *wish.paths],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ExitError(FAILURE, f"--ssh {wish.id}: {done.stderr.strip()}")
    return socket


def _end(agent: "subprocess.Popen[bytes]") -> None:
    agent.terminate()
    agent.wait()
    if agent.stdout is not None:
        agent.stdout.close()


class Offer(NamedTuple):
    """Everything a session serves."""

    directories: Mapping[str, Source]
    secrets: tuple[SecretSource, ...] = ()
    agents: Mapping[str, str] = {}
    archive: Archive | None = None
    targets: Mapping[str, Target] = {}
    caches: Mapping[str, Target] = {}
    shared: str = ""

    def services(self, client: Session) -> dict[str, Serve]:
        found = file_sync(self.directories) | services.auth(_credentials(client))
        found |= services.secrets(self._secret)
        if self.agents:
            found |= services.agents(self.agents)
        if self.targets or self.caches:
            found |= file_send(self.targets, self.caches)
        if self.archive is not None:
            found |= services.upload({"/context": self.archive.pieces()})
        return found

    def identity(self) -> tuple[str, str]:
        """The name of the session, and the key of its directories."""
        if not self.shared:
            return "", ""
        return os.path.basename(self.shared) or "default", shared_key(_node(), self.shared)

    def _secret(self, identifier: str) -> bytes:
        for source in self.secrets:
            if source.id == identifier:
                return source.read()
        raise NotFoundError(f"secret {identifier} not found")


def _credentials(client: Session) -> services.Credentials:
    def find(host: str) -> tuple[str, str]:
        login = login_at(client, HUB_KEY if host in _HUB_HOSTS else host)
        if login.identity_token:
            return "", login.identity_token
        return login.username, login.password

    return find


def _node() -> str:
    """Tell this machine's directories from others' of the same name."""
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            return f"{file.read().strip()}:{os.getuid()}"
    except OSError:
        return f"{os.uname().nodename}:{os.getuid()}"
