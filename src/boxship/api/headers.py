"""Headers that every answer has."""

from boxship import __version__
from boxship.wire.versions import NEWEST, text

COMMON = {
    "Api-Version": text(NEWEST),
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": f"Boxship/{__version__} (linux)",
}
COMMON_LINES = "".join(f"{name}: {value}\r\n" for name, value in COMMON.items())


def common(*, experimental: bool) -> dict[str, str]:
    """Return them for a daemon that has experimental features, or has not."""
    return {**COMMON, "Docker-Experimental": "true" if experimental else "false"}
