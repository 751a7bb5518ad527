"""Programs that keep credentials: ``docker-credential-<name> get|store|erase|list``.

::

    get     stdin: server            stdout: {"ServerURL","Username","Secret"}
    store   stdin: {"ServerURL","Username","Secret"}
    erase   stdin: server
    list                             stdout: {server: username, …}

A failure is an exit code above 0 with the reason on stdout. The name ``<token>`` says that the
secret is an identity token.
"""

import json
import subprocess
from typing import Any

from boxship.base.errors import BoxshipError, NotFoundError

TOKEN_USER = "<token>"
_UNKNOWN = "credentials not found in native keychain"


class CredentialHelperError(BoxshipError):
    """The program failed, or it isn't there."""


class CredentialHelper:
    """One of those programs."""

    def __init__(self, name: str) -> None:
        self._program = f"docker-credential-{name}"

    def get(self, server: str) -> tuple[str, str]:
        """Return name and secret. Raise NotFoundError if it has none for this server."""
        answer = self._object(self._run("get", server))
        return str(answer.get("Username", "")), str(answer.get("Secret", ""))

    def store(self, server: str, username: str, secret: str) -> None:
        document = {"ServerURL": server, "Username": username, "Secret": secret}
        self._run("store", json.dumps(document))

    def erase(self, server: str) -> None:
        """Forget; what it never had is forgotten already."""
        try:
            self._run("erase", server)
        except NotFoundError:
            return

    def list(self) -> dict[str, str]:
        """Return the servers it knows, and the name for each."""
        return {key: str(value) for key, value in self._object(self._run("list", "")).items()}

    def _run(self, verb: str, text: str) -> str:
        try:
            done = subprocess.run(
                [self._program, verb], input=text, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise CredentialHelperError(
                f'error getting credentials - err: exec: "{self._program}": {error.strerror}'
            ) from error
        if done.returncode == 0:
            return done.stdout
        # The reason is all that the program prints; a secret would only be there on success.
        reason = done.stdout.strip()
        if reason == _UNKNOWN:
            raise NotFoundError(reason)
        raise CredentialHelperError(
            f"error getting credentials - err: exit status {done.returncode}, out: `{reason}`"
        )

    def _object(self, text: str) -> dict[str, Any]:
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise CredentialHelperError(f"{self._program} answered with something else than JSON")
        return answer
