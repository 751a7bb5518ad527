"""Registries: logins, what a search finds, what a registry has under a name."""

from msgspec import Struct

from boxship.oci.image import Descriptor, PlatformDocument


class AuthConfig(Struct, frozen=True, rename="lower"):
    """Body of ``POST /auth``, and of the header ``X-Registry-Auth``."""

    username: str = ""
    password: str = ""
    email: str = ""
    serveraddress: str = ""
    identitytoken: str = ""
    registrytoken: str = ""

    def __repr__(self) -> str:
        return f"AuthConfig({self.username!r}, {self.serveraddress!r})"


class AuthAnswer(Struct, frozen=True, rename="pascal"):
    """Answer to ``POST /auth``."""

    status: str
    identity_token: str


class SearchRow(Struct, frozen=True):
    """A row of ``GET /images/search``."""

    star_count: int
    is_official: bool
    name: str
    is_automated: bool
    description: str


class DistributionAnswer(Struct, frozen=True, rename="pascal"):
    """Answer to ``GET /distribution/{name}/json``."""

    descriptor: Descriptor
    platforms: tuple[PlatformDocument, ...]
