"""The ``filters`` parameter: ``{"status": {"running": true}}`` as JSON."""

import json
from collections.abc import Iterable

from boxship.base.errors import InvalidArgumentError


def encode_filters(pairs: Iterable[tuple[str, str]]) -> str | None:
    """The parameter's value; None when there is no filter, so that it is left out."""
    collected: dict[str, dict[str, bool]] = {}
    for key, value in pairs:
        collected.setdefault(key, {})[value] = True
    if not collected:
        return None
    ordered = {key: dict(sorted(values.items())) for key, values in sorted(collected.items())}
    return json.dumps(ordered, separators=(",", ":"), ensure_ascii=False)


def parse_filter(text: str) -> tuple[str, str]:
    """``key=value`` of a ``--filter`` flag."""
    key, separator, value = text.partition("=")
    if not separator:
        raise InvalidArgumentError(f"invalid argument {text!r}: a filter has the form name=value")
    return key.strip().lower(), value.strip()
