"""What ``daemon.json`` says of registries, translated for the registry client."""

import os
import re
from collections.abc import Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from boxship.base.errors import InvalidArgumentError
from boxship.distribution.settings import Proxies, RegistrySettings, Retries, Timeouts
from boxship.engine.settings import TransferLimits

if TYPE_CHECKING:
    from boxship.daemon.config import DaemonConfig

_CREDENTIALS = re.compile(r"//[^/@]*@")


def registry_settings(
    config: "DaemonConfig", environment: Mapping[str, str] = os.environ
) -> RegistrySettings:
    """Read mirrors, insecure registries, patience and proxies. InvalidArgumentError names them."""
    return RegistrySettings(
        mirrors=tuple(map(_mirror, config.words("registry-mirrors"))),
        insecure=tuple(map(_insecure, config.words("insecure-registries"))),
        timeouts=Timeouts(
            connect=positive(config, "registry-connect-timeout"),
            read=positive(config, "registry-read-timeout"),
        ),
        retries=Retries(attempts=positive(config, "max-download-attempts")),
        proxies=_proxies(config, environment),
    )


def transfer_limits(config: "DaemonConfig") -> TransferLimits:
    """Read how many layers may be on their way at once."""
    return TransferLimits(
        downloads=positive(config, "max-concurrent-downloads"),
        uploads=positive(config, "max-concurrent-uploads"),
    )


def without_secrets(url: str) -> str:
    """Return a proxy's URL as it may be shown: as dockerd does, without its user and password."""
    return _CREDENTIALS.sub("//xxxxx:xxxxx@", url)


def positive(config: "DaemonConfig", name: str) -> int:
    """Return a number, which must be above zero."""
    number = config.number(name)
    if number <= 0:
        raise InvalidArgumentError(f"invalid {name.replace('-', ' ')}: {number}")
    return number


def _mirror(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.netloc:
        raise InvalidArgumentError(
            f'invalid mirror: "{text}" is not a URL such as https://mirror.example.com'
        )
    if url.path not in ("", "/") or url.query or url.fragment:
        raise InvalidArgumentError(
            f'invalid mirror: path, query, or fragment at end of the URI "{text}"'
        )
    if "@" in url.netloc:
        raise InvalidArgumentError("invalid mirror: username/password not allowed in URI")
    return text if url.path else f"{text}/"


def _insecure(text: str) -> str:
    if "://" in text:
        raise InvalidArgumentError(
            f"insecure registry {text} should not contain '://': give host[:port] or a CIDR block"
        )
    try:
        _host_or_block(text.rstrip("/"))
    except ValueError as error:
        raise InvalidArgumentError(
            f'insecure registry "{text}" is not valid: {error}; give host[:port] or a CIDR block'
        ) from error
    return text


def _host_or_block(text: str) -> None:
    """ValueError says why it is neither."""
    if "/" in text or (text.count(":") > 1 and "]" not in text):
        ip_network(text, strict=False)
        return
    url = urlsplit(f"//{text}")
    if not url.hostname or any(map(str.isspace, text)):
        raise ValueError("it names no host")
    _ = url.port  # reading it is what refuses one


def _proxies(config: "DaemonConfig", environment: Mapping[str, str]) -> Proxies:
    """Options come first, then the environment."""
    around = Proxies.from_environment(environment)
    return Proxies(
        http=config.text("http-proxy") or around.http,
        https=config.text("https-proxy") or around.https,
        no_proxy=config.text("no-proxy") or around.no_proxy,
    )
