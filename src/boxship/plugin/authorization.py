"""Authorization plugins: ``AuthZPlugin.*``, typed. Bodies are bytes, base64 in JSON."""

import msgspec
from msgspec import Struct

from boxship.plugin.client import PluginClient

LARGEST_BODY = 1 << 20
"""Bytes of a body that are shown to a plugin; as Docker's limit."""


class AskedRequest(Struct, frozen=True, rename="pascal", omit_defaults=True):
    """A request of the Engine API, as a plugin sees it; with its answer, once there is one."""

    request_method: str
    request_uri: str = msgspec.field(name="RequestUri")
    """Docker's documentation writes ``RequestURI``, its daemon ``RequestUri``."""
    user: str = ""
    """The common name of the client's certificate."""
    user_auth_n_method: str = ""
    """``TLS``, if there is a user."""
    request_body: bytes = b""
    request_headers: dict[str, str] = msgspec.field(default_factory=dict)
    request_peer_certificates: tuple[bytes, ...] = ()
    """PEM, the client's first, then what it has sent of those who signed it."""
    response_status_code: int = 0
    response_body: bytes = b""
    response_headers: dict[str, str] = msgspec.field(default_factory=dict)


class Verdict(Struct, frozen=True, rename="pascal"):
    """What the plugin decides, and what the client is told if that is no."""

    allow: bool = False
    msg: str = ""


class AuthorizationPlugin:
    """Asks a plugin. Errors as of :meth:`PluginClient.ask`."""

    def __init__(self, client: PluginClient) -> None:
        self._client = client

    async def before(self, asked: AskedRequest) -> Verdict:
        """Ask whether a request may be carried out."""
        return await self._client.ask("AuthZPlugin.AuthZReq", asked, Verdict)

    async def after(self, asked: AskedRequest) -> Verdict:
        """Ask whether its answer may be given."""
        return await self._client.ask("AuthZPlugin.AuthZRes", asked, Verdict)
