"""How a call of a plugin fails."""

from boxship.base.errors import BoxshipError, InternalError, UnavailableError


class PluginRefusedError(BoxshipError):
    """The plugin said no; ``str(error)`` are its own words. HTTP 500, as in Docker."""

    def __init__(self, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.status = status


class PluginSilentError(UnavailableError):
    """It cannot be reached, does not answer in time, or went while it was asked."""


class PluginUnreachableError(PluginSilentError):
    """Nobody listens where it should: it was not asked at all."""


class PluginNonsenseError(InternalError):
    """It answered something that makes no sense; the text says which plugin, call and what."""
