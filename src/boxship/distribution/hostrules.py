"""``hosts.toml``: other endpoints for a registry, in the form containerd reads.

::

    server = "https://registry.example.com"      # asked last; the registry itself if missing
    # what stands here counts for the server, in a host's table for that host:
    capabilities = ["pull", "resolve", "push"]   # all of them if missing
    ca = "ca.pem"                                # or a list; relative to this file
    client = [["client.cert", "client.key"]]     # or one file that holds both, or a list of those
    skip_verify = false
    override_path = false                        # true: the URL's path isn't followed by /v2
    [header]
    x-custom = ["value"]

    [host."https://mirror.example.com"]          # asked in the order of the file
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from boxship.base.errors import InvalidArgumentError
from boxship.distribution.capabilities import Capability
from boxship.distribution.tls import ClientCertificate, StampedFile, TlsRules

_CAPABILITIES = {
    "pull": Capability.PULL,
    "resolve": Capability.RESOLVE,
    "push": Capability.PUSH,
}


@dataclass(frozen=True, slots=True)
class HostRule:
    """One endpoint. No capabilities: all. ``base`` includes ``/v2``."""

    base: str
    tls: TlsRules
    capabilities: frozenset[Capability]
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class HostRules:
    """A whole file; ``server`` is ``None`` if the registry itself is meant, without any rules."""

    hosts: tuple[HostRule, ...]
    server: HostRule | None


def read_rules(path: str, domain: str) -> HostRules:
    """Read a file. Raise InvalidArgumentError naming file and key."""
    import tomllib  # noqa: PLC0415 - for the few who have such files

    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InvalidArgumentError(f"{path}: {error}") from error
    return parse_rules(document, path, domain)


def parse_rules(document: Mapping[str, Any], path: str, domain: str) -> HostRules:
    """Turn a document into rules; ``path`` is for messages and for relative names of files."""
    reader = _Reader(path)
    hosts = document.get("host", {})
    if not isinstance(hosts, dict) or not all(isinstance(t, dict) for t in hosts.values()):
        raise InvalidArgumentError(f'{path}: host has to be a table per URL: [host."https://…"]')
    rules = tuple(reader.rule(url, table) for url, table in hosts.items())
    own = {key: value for key, value in document.items() if key != "host"}
    if not own:
        return HostRules(rules, None)
    default = "registry-1.docker.io" if domain == "docker.io" else domain
    server = own.pop("server", None) or f"https://{default}"
    return HostRules(rules, reader.rule(str(server), own))


class _Reader:
    def __init__(self, path: str) -> None:
        self._path = path
        self._directory = os.path.dirname(path)

    def rule(self, url: str, table: Mapping[str, Any]) -> HostRule:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise self._wrong(url, "is no http or https URL")
        root = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        if not table.get("override_path") and not root.endswith("/v2"):
            root += "/v2"
        return HostRule(
            base=root,
            tls=TlsRules(
                authorities=tuple(self._file(name) for name in self._texts(table, "ca")),
                clients=self._clients(table),
                verify=not table.get("skip_verify", False),
            ),
            capabilities=self._capabilities(table),
            headers=self._headers(table),
        )

    def _capabilities(self, table: Mapping[str, Any]) -> frozenset[Capability]:
        names = self._texts(table, "capabilities")
        unknown = sorted(set(names) - _CAPABILITIES.keys())
        if unknown:
            raise self._wrong("capabilities", f"has {unknown[0]!r}; there are pull, resolve, push")
        return frozenset(_CAPABILITIES[name] for name in names)

    def _clients(self, table: Mapping[str, Any]) -> tuple[ClientCertificate, ...]:
        given = table.get("client", [])
        entries = [given] if isinstance(given, str) else given
        if not isinstance(entries, list):
            raise self._wrong("client", "has to be a file, a list of files or of pairs")
        return tuple(self._client(entry) for entry in entries)

    def _client(self, entry: object) -> ClientCertificate:
        names = [entry] if isinstance(entry, str) else entry
        if (
            not isinstance(names, list)
            or not 1 <= len(names) <= 2
            or not all(isinstance(name, str) for name in names)
        ):
            raise self._wrong("client", "has to be a file, a list of files or of pairs")
        files = [self._file(name) for name in names if name]
        return ClientCertificate(files[0], files[-1])

    def _headers(self, table: Mapping[str, Any]) -> dict[str, str]:
        given = table.get("header", {})
        if not isinstance(given, dict):
            raise self._wrong("header", "has to be a table")
        return {name: ", ".join(self._texts(given, name)) for name in given}

    def _texts(self, table: Mapping[str, Any], key: str) -> list[str]:
        given = table.get(key, [])
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise self._wrong(key, "has to be a text or a list of texts")
        return texts

    def _file(self, name: str) -> StampedFile:
        return StampedFile.of(os.path.join(self._directory, name))

    def _wrong(self, key: str, what: str) -> InvalidArgumentError:
        return InvalidArgumentError(f"{self._path}: {key} {what}")
