"""Signatures of requests to AWS, version 4; pure.

(AWS General Reference, "Signature Version 4 signing process".)
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

_ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(NamedTuple):
    """An access key; one that was lent has a token and an end, in seconds since the epoch."""

    key: str
    secret: str
    token: str = ""
    expires: float = float("inf")


def signed(
    *,
    method: str,
    host: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    credentials: Credentials,
    region: str,
    service: str,
    at: float,
) -> dict[str, str]:
    """Return the headers of a request without query, with ``Authorization`` and what it needs."""
    moment = datetime.fromtimestamp(at, UTC)
    stamp, day = moment.strftime("%Y%m%dT%H%M%SZ"), moment.strftime("%Y%m%d")
    complete = {**headers, "Host": host, "X-Amz-Date": stamp}
    if credentials.token:
        complete["X-Amz-Security-Token"] = credentials.token
    lines = sorted((name.lower(), value.strip()) for name, value in complete.items())
    names = ";".join(name for name, _ in lines)
    request = "\n".join(
        (
            *(method, path, ""),
            *(f"{name}:{value}" for name, value in lines),
            *("", names, hashlib.sha256(body).hexdigest()),
        )
    )
    words = (day, region, service, "aws4_request")
    scope = "/".join(words)
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(_key(credentials.secret, words), text.encode(), "sha256").hex()
    complete["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.key}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return complete


def _key(secret: str, scope: tuple[str, ...]) -> bytes:
    """Return the key for a day, region and service."""
    key = f"AWS4{secret}".encode()
    for word in scope:
        key = hmac.digest(key, word.encode(), "sha256")
    return key
