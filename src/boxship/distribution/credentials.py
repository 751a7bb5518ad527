"""What a user has to show to one registry."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """Name and password, or a token. Secrets are in no repr.

    ``identity_token`` is a refresh token, exchanged for access tokens; ``registry_token`` is an
    access token, sent as it is. ``server`` is the key of Docker's ``config.json``
    (``https://index.docker.io/v1/``, ``registry.example.com:5000``), for people alone.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    server: str = ""

    @property
    def given(self) -> bool:
        """Whether there is anything to show."""
        return bool(self.username or self.identity_token or self.registry_token)


ANONYMOUS = Credentials()
