"""Debian's docker-registry as a real process on a free port of the loopback.

::

    with RegistryServer(tmp_path) as registry: …                       plain HTTP
    with RegistryServer(tmp_path, users={"me": "secret"}) as registry: … basic authentication
    with RegistryServer(tmp_path, users={…}, tokens=True) as registry: … Bearer tokens
    with RegistryServer(tmp_path, tls=True) as registry: …              HTTPS, own authority

`registry.host` is `127.0.0.1:PORT`; it starts within a few milliseconds and is gone, with its
files, after the `with`.
"""

import json
import os
import shutil
import subprocess
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import bcrypt

from support.certificates import Authority
from support.programs import required
from support.tokens import SERVICE, TokenServer


class RegistryServer:
    """A registry that a test or a module of tests owns."""

    def __init__(
        self,
        home: Path | None = None,
        *,
        users: dict[str, str] | None = None,
        tokens: bool = False,
        tls: bool = False,
        names: tuple[str, ...] = ("127.0.0.1", "localhost"),
        common_name: str = "registry",
        mirror_of: str = "",
        address: str = "127.0.0.1",
        name: str = "",
        port: int = 0,
    ) -> None:
        """``name`` stands in references instead of ``address``; whoever gives one resolves it.

        Without ``port`` it is a free one.
        """
        self._home = home
        self._users = users
        self._with_tokens = tokens
        self._with_tls = tls
        self._names = names
        self._common_name = common_name
        self._mirror_of = mirror_of
        self._address = address
        self._name = name or address
        self._cleanup = ExitStack()
        self.tokens: TokenServer | None = None
        self.authority: Authority | None = None
        self.port = port
        self._prepared = False

    @property
    def host(self) -> str:
        """As it stands in references: `127.0.0.1:PORT`."""
        return f"{self._name}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self._with_tls else 'http'}://{self.host}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.stop()
        self._cleanup.close()

    def start(self) -> None:
        """Start, or start again after `stop`: on the same port, with the same content."""
        with ExitStack() as undo:
            if not self._prepared:
                undo.push(self._cleanup)
                self._prepare()
                self._prepared = True
            self._process = subprocess.Popen(
                [required("docker-registry"), "serve", str(self.home / "config.yml")],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
            )
            self._await_port()
            undo.pop_all()

    def stop(self) -> None:
        """End the process, keep its files."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._drain.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def blob_path(self, digest: str) -> Path:
        """Where the registry keeps a blob, for tests that falsify it."""
        algorithm, _, encoded = digest.partition(":")
        blobs = self.home / "data/docker/registry/v2/blobs"
        return blobs / algorithm / encoded[:2] / encoded / "data"

    def trust(self, directory: Path) -> Path:
        """Make `directory/HOST:PORT/ca.crt`, as in certs.d; returns `directory`."""
        assert self.authority is not None
        place = directory / self.host
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.authority.certificate, place / "ca.crt")
        return directory

    def _prepare(self) -> None:
        if self._home is None:
            self.home = Path(tempfile.mkdtemp(prefix="boxship-registry-"))
            self._cleanup.callback(shutil.rmtree, self.home)
        else:
            self.home = self._home
            self.home.mkdir(parents=True, exist_ok=True)
        self._document = self._configuration()
        self._write()

    def _configuration(self) -> dict[str, Any]:
        http: dict[str, Any] = {"addr": f"{self._address}:{self.port}", "secret": "for tests"}
        document: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "info", "formatter": "json"},
            "storage": {
                "filesystem": {"rootdirectory": str(self.home / "data")},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": http,
        }
        if self._with_tls or self._with_tokens:
            self.authority = Authority(self.home / "authority")
        if self._with_tls:
            assert self.authority is not None
            issued = self.authority.issue(self._common_name, *self._names)
            http["tls"] = {"certificate": str(issued.certificate), "key": str(issued.key)}
        if self._with_tokens:
            document["auth"] = {"token": self._token_server()}
        elif self._users is not None:
            document["auth"] = {"htpasswd": self._password_file(self._users)}
        if self._mirror_of:
            document["proxy"] = {"remoteurl": self._mirror_of}
        return document

    def _password_file(self, users: dict[str, str]) -> dict[str, str]:
        path = self.home / "htpasswd"
        cheapest = bcrypt.gensalt(rounds=4)
        lines = (
            f"{user}:{bcrypt.hashpw(word.encode(), cheapest).decode()}"
            for user, word in users.items()
        )
        path.write_text("\n".join(lines) + "\n")
        return {"realm": "boxship tests", "path": str(path)}

    def _token_server(self) -> dict[str, str]:
        assert self.authority is not None
        issued = self.authority.issue("token-server", "token-server")
        self.tokens = self._cleanup.enter_context(TokenServer(issued, dict(self._users or {})))
        return {
            "realm": self.tokens.realm,
            "service": SERVICE,
            "issuer": SERVICE,
            # The leaf travels in each token; the registry trusts who signed it.
            "rootcertbundle": str(self.authority.certificate),
        }

    def _write(self) -> None:
        # JSON is YAML.
        (self.home / "config.yml").write_text(json.dumps(self._document))

    def _await_port(self) -> None:
        """Read the log until it says where it listens, then keep reading so it never blocks."""
        assert self._process.stdout is not None
        seen = []
        for line in self._process.stdout:
            seen.append(line)
            _, found, rest = line.partition("listening on ")
            if found:
                self.port = int(rest.partition('"')[0].partition(",")[0].rpartition(":")[2])
                break
        else:
            self._process.wait()
            raise AssertionError("docker-registry didn't start:\n" + "".join(seen))
        self._document["http"]["addr"] = f"{self._address}:{self.port}"
        self._write()
        self._drain = threading.Thread(target=self._process.stdout.read)
        self._drain.start()
