"""Credentials of registries in ``~/.docker/config.json``, or in the programs it names.

::

    {"auths":       {"registry.example.com": {"auth": base64("name:password")},
                     "other.example.com":    {"auth": …, "identitytoken": …}},
     "credsStore":  "secretservice",                        for every registry
     "credHelpers": {"gcr.io": "gcloud"}}                   for one

Docker Hub's key is ``https://index.docker.io/v1/``, any other registry's is its host. Everything
else in the file stays as it is. ``DOCKER_AUTH_CONFIG`` holds a document of the same form, which is
read first and never written.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import NamedTuple

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.cli.configdocument import Document, parsed, read, write
from boxship.cli.credentialhelper import TOKEN_USER, CredentialHelper
from boxship.oci.reference import DEFAULT_DOMAIN

HUB_KEY = "https://index.docker.io/v1/"
_VARIABLE = "DOCKER_AUTH_CONFIG"
_HUB_NAMES = {DEFAULT_DOMAIN, "index.docker.io", "registry-1.docker.io"}


class Login(NamedTuple):
    """What is known of one registry. Never print it."""

    server: str
    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""

    def __repr__(self) -> str:
        return f"Login(server={self.server!r}, username={self.username!r})"

    @property
    def given(self) -> bool:
        return bool(self.username or self.identity_token or self.registry_token)

    def encoded(self) -> str:
        """The value of ``X-Registry-Auth``."""
        return base64.urlsafe_b64encode(json.dumps(self.document()).encode()).decode()

    def document(self) -> Document:
        """The Engine API's AuthConfig."""
        fields = {
            "username": self.username,
            "password": self.password,
            "serveraddress": self.server,
            "identitytoken": self.identity_token,
            "registrytoken": self.registry_token,
        }
        return {name: value for name, value in fields.items() if value}


def server_key(text: str) -> str:
    """Return the key for what a user calls a registry: without scheme and path, but the Hub's."""
    if not text or text == HUB_KEY:
        return HUB_KEY
    host = _host(text)
    return HUB_KEY if host in _HUB_NAMES else host


class Keychain:
    """Reads at every question: other programs write the same file."""

    def __init__(self, path: str, environment: Mapping[str, str]) -> None:
        self.path = path
        self._environment = environment

    def get(self, server: str) -> Login:
        """Return what is known; an empty login if that is nothing."""
        document = self._read()
        helper = _helper(document, server)
        ahead = self._ahead(server)
        if ahead is not None:
            return ahead
        if helper is None:
            return _from_file(document, server) or Login(server)
        try:
            username, secret = helper.get(server)
        except NotFoundError:
            return Login(server)
        if username == TOKEN_USER:
            return Login(server, identity_token=secret)
        return Login(server, username, secret)

    def is_plain(self, server: str) -> bool:
        """Whether what is stored for ``server`` lies in the file, readable for whoever reads it."""
        return _helper(self._read(), server) is None

    def store(self, login: Login) -> None:
        """Keep a login for later."""
        document = self._read()
        helper = _helper(document, login.server)
        auths = document.setdefault("auths", {})
        if helper is None:
            auths[login.server] = _file_entry(login)
        else:
            is_token = bool(login.identity_token)
            helper.store(
                login.server,
                TOKEN_USER if is_token else login.username,
                login.identity_token if is_token else login.password,
            )
            auths[login.server] = {}  # so that it is known which registries one is logged in to
        self._write(document)

    def erase(self, server: str) -> None:
        """Forget a login, in all spellings that older clients wrote."""
        document = self._read()
        auths = document.get("auths") or {}
        kept = {key: value for key, value in auths.items() if server_key(key) != server}
        helper = _helper(document, server)
        if helper is not None:
            helper.erase(server)
        if kept != auths:
            document["auths"] = kept
            self._write(document)

    def all(self) -> dict[str, Login]:
        """Return every login there is."""
        document = self._read()
        servers = {server_key(key) for key in document.get("auths") or {}}
        servers |= set(document.get("credHelpers") or {})
        if document.get("credsStore"):
            servers |= set(CredentialHelper(str(document["credsStore"])).list())
        found = {server: self.get(server) for server in sorted(servers)}
        return {server: login for server, login in found.items() if login.given}

    def _ahead(self, server: str) -> Login | None:
        text = self._environment.get(_VARIABLE, "")
        if not text:
            return None
        return _from_file(parsed(text, _VARIABLE), server)

    def _read(self) -> Document:
        return read(self.path)

    def _write(self, document: Document) -> None:
        write(self.path, document)


def _helper(document: Document, server: str) -> CredentialHelper | None:
    name = (document.get("credHelpers") or {}).get(server) or document.get("credsStore")
    return CredentialHelper(str(name)) if name else None


def _from_file(document: Document, server: str) -> Login | None:
    auths = document.get("auths") or {}
    if not isinstance(auths, dict):
        return None
    keys = [key for key in auths if key == server] or [k for k in auths if server_key(k) == server]
    for key in keys:
        entry = auths[key]
        if isinstance(entry, dict):
            return _file_login(entry, server, key)
    return None


def _file_login(entry: Document, server: str, key: str) -> Login:
    username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        username, password = _decoded(str(entry["auth"]), key)
    identity = str(entry.get("identitytoken") or "")
    if username == TOKEN_USER and not identity:
        username, password, identity = "", "", password
    token = str(entry.get("registrytoken") or "")
    return Login(server, username, password, identity, token)


def _decoded(text: str, key: str) -> tuple[str, str]:
    try:
        name, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise InvalidArgumentError(f"the auth of {key} is no base64 of name:password") from error
    if not colon:
        raise InvalidArgumentError("invalid auth configuration file")
    return name, password.rstrip("\0")


def _file_entry(login: Login) -> Document:
    pair = f"{login.username}:{login.password}"
    entry = {"auth": base64.b64encode(pair.encode()).decode()}
    if login.identity_token:
        entry["identitytoken"] = login.identity_token
    return entry


def _host(text: str) -> str:
    return text.partition("://")[2].partition("/")[0] if "://" in text else text.partition("/")[0]
