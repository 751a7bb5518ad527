"""What a client shows to a registry: the header ``X-Registry-Auth``, base64 of JSON.

The alphabet is that of URLs; old clients use the other one, and some leave the padding out.
"""

import base64
import binascii

import msgspec

from boxship.api.http.messages import Request
from boxship.distribution.credentials import Credentials

HEADER = "x-registry-auth"


class _AuthConfig(msgspec.Struct, frozen=True, rename="lower"):
    username: str = ""
    password: str = ""
    identitytoken: str = ""
    registrytoken: str = ""
    serveraddress: str = ""


def credentials(request: Request) -> Credentials | None:
    """Read the header; what cannot be read counts as no credentials, as with Docker."""
    text = request.headers.get(HEADER, "").strip()
    if not text:
        return None
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        document = base64.b64decode(standard + "=" * (-len(standard) % 4))
        given = msgspec.json.decode(document, type=_AuthConfig)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None
    found = Credentials(
        username=given.username,
        password=given.password,
        identity_token=given.identitytoken,
        registry_token=given.registrytoken,
        server=given.serveraddress,
    )
    return found if found.given else None
