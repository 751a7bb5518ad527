"""Which proxy a URL is fetched through, by the rules that Go programs follow."""

import ipaddress
from urllib.parse import urlsplit

from boxship.distribution.settings import Proxies


def proxy_for(url: str, proxies: Proxies) -> str:
    """Return the proxy's URL; empty for a direct connection. Loopback is always direct."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    proxy = proxies.https if parts.scheme == "https" else proxies.http
    if not proxy or _is_loopback(host) or _is_excepted(host, port, proxies.no_proxy):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def _is_excepted(host: str, port: int, no_proxy: str) -> bool:
    entries = (entry.strip().lower() for entry in no_proxy.split(","))
    return any(_matches(entry, host.lower(), port) for entry in entries if entry)


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    address = _address(host)
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdigit() and (":" not in name or name.startswith("[")):
        if int(wanted) != port:
            return False
        entry = name.strip("[]")
    if address is not None:
        return _address(entry) == address
    entry = entry.removeprefix("*")
    # `.example.com` excepts what is below it, `example.com` itself as well.
    return host.endswith(entry) if entry.startswith(".") else _below(host, entry)


def _below(host: str, entry: str) -> bool:
    return host == entry or host.endswith(f".{entry}")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
