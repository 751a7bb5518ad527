"""Contexts: daemons by name, in the store that Docker's client keeps, too.

::

    <config directory>/contexts/
        meta/<sha256 of the name>/meta.json      {"Name": …, "Metadata": {"Description": …},
                                                  "Endpoints": {"docker": {"Host": …,
                                                                "SkipTLSVerify": …}}}
        tls/<sha256 of the name>/docker/         ca.pem, cert.pem, key.pem: those that there are

What other programs have put into a document stays in it. The context ``default`` is in no store: it
is what flags and environment say.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from typing import Any, NamedTuple

from boxship.base.errors import ConflictError, InvalidArgumentError, NotFoundError
from boxship.base.files import write_atomic
from boxship.client.endpoint import Choice, TlsFiles, parse_host

DEFAULT = "default"
DOCKER = "docker"
"""The endpoint that is an engine; others, as of Kubernetes, are kept and not looked at."""
CA, CERTIFICATE, KEY = "ca.pem", "cert.pem", "key.pem"
TLS_FILES = (CA, CERTIFICATE, KEY)
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+")

Document = dict[str, Any]
TlsData = Mapping[str, bytes]
"""The contents of PEM files by name."""


class Context(NamedTuple):
    """One context. ``tls`` are the names of an endpoint's files, by the endpoint's."""

    name: str
    document: Document
    tls: Mapping[str, tuple[str, ...]] = {}

    @property
    def description(self) -> str:
        return str((self.document.get("Metadata") or {}).get("Description") or "")

    @property
    def endpoint(self) -> Document:
        """What is said of the engine."""
        found = (self.document.get("Endpoints") or {}).get(DOCKER)
        return found if isinstance(found, dict) else {}

    @property
    def host(self) -> str:
        return str(self.endpoint.get("Host") or "")

    @property
    def skips_verification(self) -> bool:
        return bool(self.endpoint.get("SkipTLSVerify"))


def document_of(
    name: str, host: str, *, description: str = "", skip_verify: bool = False
) -> Document:
    """Return the document of a new context."""
    return {
        "Name": name,
        "Metadata": {"Description": description} if description else {},
        "Endpoints": {DOCKER: {"Host": host, "SkipTLSVerify": skip_verify}},
    }


def check_name(name: str) -> None:
    """Raise InvalidArgumentError unless a context of the store can be called so."""
    if not name:
        raise InvalidArgumentError("context name cannot be empty")
    if name == DEFAULT:
        raise InvalidArgumentError('"default" is a reserved context name')
    if not _NAME.fullmatch(name):
        raise InvalidArgumentError(
            f'context name "{name}" is invalid, names are validated against regexp '
            f'"^{_NAME.pattern}$"'
        )


class ContextStore:
    """The contexts below a configuration directory."""

    def __init__(self, config_directory: str) -> None:
        self._root = os.path.join(config_directory, "contexts")

    def all(self) -> list[Context]:
        """Return every context whose document can be read."""
        try:
            entries = sorted(os.listdir(os.path.join(self._root, "meta")))
        except (FileNotFoundError, NotADirectoryError):
            return []
        found = []
        for entry in entries:
            try:
                document = self._read(os.path.join(self._root, "meta", entry, "meta.json"))
            except OSError:
                continue
            name = str(document.get("Name") or "")
            if entry == _key(name):
                found.append(self._context(name, document))
        return found

    def find(self, name: str) -> Context:
        """Return a context. NotFoundError: there is none of that name."""
        path = os.path.join(self.metadata_path(name), "meta.json")
        try:
            return self._context(name, self._read(path))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise NotFoundError(
                f'context "{name}": context not found: open {path}: no such file or directory'
            ) from error

    def has(self, name: str) -> bool:
        return os.path.exists(os.path.join(self.metadata_path(name), "meta.json"))

    def create(self, document: Document, tls: Mapping[str, TlsData]) -> None:
        """Keep a new context. ConflictError: there is one of that name."""
        name = document["Name"]
        check_name(name)
        if self.has(name):
            raise ConflictError(f'context "{name}" already exists')
        self.save(document, tls)

    def save(self, document: Document, tls: Mapping[str, TlsData] | None) -> None:
        """Keep a context, or what has become of it. ``tls`` None: its files stay as they are."""
        name = document["Name"]
        if tls is not None:
            shutil.rmtree(self.tls_path(name), ignore_errors=True)
            for endpoint, files in tls.items():
                directory = os.path.join(self.tls_path(name), endpoint)
                os.makedirs(directory, mode=0o700, exist_ok=True)
                for file, data in files.items():
                    write_atomic(os.path.join(directory, file), data, mode=0o600)
        os.makedirs(self.metadata_path(name), mode=0o755, exist_ok=True)
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        path = os.path.join(self.metadata_path(name), "meta.json")
        write_atomic(path, text.encode(), mode=0o644)

    def remove(self, name: str) -> None:
        """Forget a context, with its keys."""
        shutil.rmtree(self.tls_path(name), ignore_errors=True)
        shutil.rmtree(self.metadata_path(name), ignore_errors=True)

    def tls_data(self, context: Context) -> dict[str, dict[str, bytes]]:
        """Return what is in the PEM files of all endpoints."""
        found: dict[str, dict[str, bytes]] = {}
        for endpoint, files in context.tls.items():
            for name in files:
                path = os.path.join(self.tls_path(context.name), endpoint, name)
                with open(path, "rb") as file:
                    found.setdefault(endpoint, {})[name] = file.read()
        return found

    def choice(self, name: str) -> Choice:
        """Return the daemon that a context names. NotFoundError: there is no such context."""
        context = self.find(name)
        if not context.host:
            raise InvalidArgumentError(f'context "{name}" has no docker endpoint')
        return Choice(parse_host(context.host, self._tls_files(context)), is_default=False)

    def _tls_files(self, context: Context) -> TlsFiles | None:
        has = context.tls.get(DOCKER, ())
        if not has and not context.skips_verification:
            return None
        directory = os.path.join(self.tls_path(context.name), DOCKER)
        ca, certificate, key = (
            os.path.join(directory, name) if name in has else "" for name in TLS_FILES
        )
        return TlsFiles(ca, certificate, key, verify=not context.skips_verification)

    def metadata_path(self, name: str) -> str:
        return os.path.join(self._root, "meta", _key(name))

    def tls_path(self, name: str) -> str:
        return os.path.join(self._root, "tls", _key(name))

    def _context(self, name: str, document: Document) -> Context:
        tls = {}
        directory = self.tls_path(name)
        for endpoint in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
            files = tuple(sorted(os.listdir(os.path.join(directory, endpoint))))
            if files:
                tls[endpoint] = files
        return Context(name, document, tls)

    @staticmethod
    def _read(path: str) -> Document:
        with open(path, encoding="utf-8") as file:
            try:
                document = json.load(file)
            except ValueError as error:
                raise InvalidArgumentError(f"parsing {path}: {error}") from error
        if not isinstance(document, dict):
            raise InvalidArgumentError(f"parsing {path}: a JSON object is needed")
        return document


def _key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
