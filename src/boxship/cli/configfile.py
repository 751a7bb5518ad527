"""The keys of ``~/.docker/config.json`` that the verbs honour."""

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from boxship.base.errors import InvalidArgumentError

_HEADERS = "DOCKER_CUSTOM_HEADERS"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110
_PROXY_VARIABLES = (
    ("httpProxy", "HTTP_PROXY"),
    ("httpsProxy", "HTTPS_PROXY"),
    ("noProxy", "NO_PROXY"),
    ("ftpProxy", "FTP_PROXY"),
    ("allProxy", "ALL_PROXY"),
)


def config_path(environment: Mapping[str, str], directory: str | None = None) -> str:
    """Where the file is: in ``directory``, else in ``DOCKER_CONFIG``, else at home."""
    directory = directory or environment.get("DOCKER_CONFIG")
    directory = directory or os.path.join(os.path.expanduser("~"), ".docker")
    return os.path.join(directory, "config.json")


def custom_headers(environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return what ``DOCKER_CUSTOM_HEADERS`` has every request bear: ``Name=value,"Other=a,b"``."""
    text = environment.get(_HEADERS, "")
    if not text:
        return ()
    import csv

    found = []
    for field in next(csv.reader([text])):
        name, equals, value = field.partition("=")
        if not equals or not _HEADER_NAME.fullmatch(name.strip()) or "\n" in value:
            raise InvalidArgumentError(
                f"invalid {_HEADERS}: {field!r} is not Name=value (several are separated by commas)"
            )
        found.append((name.strip(), value))
    return tuple(found)


class ConfigFile(NamedTuple):
    ps_format: str = ""
    images_format: str = ""
    networks_format: str = ""
    volumes_format: str = ""
    plugins_format: str = ""
    stats_format: str = ""
    detach_keys: str = ""
    http_headers: tuple[tuple[str, str], ...] = ()
    prune_filters: tuple[str, ...] = ()
    current_context: str = ""
    proxies: Mapping[str, Any] | None = None  # by daemon host, "default" for all others

    @classmethod
    def load(cls, environment: Mapping[str, str], directory: str | None = None) -> Self:
        """Read the file; one that does not exist is empty."""
        path = config_path(environment, directory)
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return cls()
        import json

        try:
            document = json.loads(text)
        except ValueError as error:
            raise InvalidArgumentError(f"{path} is not valid JSON: {error}") from error
        if not isinstance(document, dict):
            raise InvalidArgumentError(f"{path} is not an object, as {{…}}")
        return cls.parse(document)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        headers = document.get("HttpHeaders") or {}
        return cls(
            ps_format=document.get("psFormat", ""),
            images_format=document.get("imagesFormat", ""),
            networks_format=document.get("networksFormat", ""),
            volumes_format=document.get("volumesFormat", ""),
            plugins_format=document.get("pluginsFormat", ""),
            stats_format=document.get("statsFormat", ""),
            detach_keys=document.get("detachKeys", ""),
            http_headers=tuple((str(key), str(value)) for key, value in headers.items()),
            prune_filters=tuple(map(str, document.get("pruneFilters") or ())),
            current_context=str(document.get("currentContext") or ""),
            proxies=document.get("proxies"),
        )

    def proxy_environment(self, host: str) -> tuple[str, ...]:
        """``NAME=value`` for the containers of the daemon at ``host``, in both spellings."""
        settings = (self.proxies or {}).get(host) or (self.proxies or {}).get("default") or {}
        pairs: list[str] = []
        for key, variable in _PROXY_VARIABLES:
            if settings.get(key):
                pairs += [f"{variable}={settings[key]}", f"{variable.lower()}={settings[key]}"]
        return tuple(pairs)
