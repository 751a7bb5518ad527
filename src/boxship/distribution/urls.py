"""URLs that others give: in ``Location``, in ``Link``, as a token server. They may be anything."""

import re
from urllib.parse import urljoin, urlsplit

from boxship.distribution.errors import BadRegistryAnswerError

Origin = tuple[str, str, int]

_LABEL = r"[\w-]{1,63}"
_HOST = re.compile(rf"({_LABEL}(\.{_LABEL})*\.?|\[[0-9A-Fa-f:.%]+\])(:[0-9]*)?")
_PORTS = {"http": 80, "https": 443}


def origin(url: str) -> Origin:
    """Return scheme, host and port. Raise BadRegistryAnswerError if it can't be asked by HTTP."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadRegistryAnswerError(f"{url!r} is no URL: {error}") from error
    if parts.scheme not in _PORTS or not host:
        raise BadRegistryAnswerError(f"{plain_url(url)!r} is no URL of http or https")
    return parts.scheme, host, _PORTS[parts.scheme] if port is None else port


def joined(base: str, url: str) -> str:
    """Complete ``url``, which was found at ``base``. Raise BadRegistryAnswerError as above."""
    try:
        complete = urljoin(base, url)
    except ValueError as error:
        raise BadRegistryAnswerError(f"{plain_url(base)} leads to {url!r}: {error}") from error
    try:
        origin(complete)
    except BadRegistryAnswerError as error:
        raise BadRegistryAnswerError(f"{plain_url(base)} leads to {error}") from error
    return complete


def plain_url(url: str) -> str:
    """Return a URL without what may be secret: its query (a signature), a name and password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def is_host(text: str) -> bool:
    """Tell whether it can be a host's name or address, perhaps with a port."""
    return _HOST.fullmatch(text) is not None
