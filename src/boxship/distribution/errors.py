"""Why a registry didn't give what was asked for, by what the caller can do about it.

::

    RegistryError
    ├── RegistryUnauthorizedError    log in, or log in with other credentials    401
    ├── RegistryDeniedError          ask the repository's owner                  403
    ├── RegistryNotFoundError        name something that exists                  404
    ├── RateLimitedError             wait ``retry_after`` seconds, or log in     429 of the registry
    ├── RegistryUnavailableError     try again later; another mirror may answer  5xx, connection
    │   └── RegistryUnreachableError there was no connection at all
    ├── BadRegistryAnswerError       report it to the registry: it lies          digest, length
    ├── CertificateProblemError      correct the certificate or trust it         TLS
    └── TransferCancelledError       nothing: the caller cancelled

The first three are also the errors of ``base`` that mean the same of our own objects. The rest is
nobody's ``UnavailableError``: it is not this daemon that is away, and Docker answers 500, too.
"""

from boxship.base.errors import (
    BoxshipError,
    ForbiddenError,
    NotFoundError,
    UnauthorizedError,
)


class RegistryError(BoxshipError):
    """Base of what went wrong between us and a registry.

    ``code`` is the registry's own error code (``MANIFEST_UNKNOWN``), empty if it gave none;
    ``told`` is its message in the form Docker prints it (``manifest unknown: manifest unknown``);
    ``status`` is the HTTP status, 0 if there was none.
    """

    def __init__(self, message: str, *, code: str = "", told: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.told = told or message
        self.status = status


class RegistryUnauthorizedError(RegistryError, UnauthorizedError):
    """The registry wants credentials, or other ones."""


class RegistryDeniedError(RegistryError, ForbiddenError):
    """The credentials are known and do not suffice."""


class RegistryNotFoundError(RegistryError, NotFoundError):
    """There is no such repository, manifest or blob."""


class RateLimitedError(RegistryError):
    """Too many requests. ``retry_after`` is in seconds, ``None`` if the registry didn't say."""

    def __init__(
        self, message: str, *, retry_after: float | None = None, code: str = "", told: str = ""
    ) -> None:
        super().__init__(message, code=code, told=told, status=429)
        self.retry_after = retry_after


class RegistryUnavailableError(RegistryError):
    """No connection, a connection that broke, or a status of 5xx."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        code: str = "",
        told: str = "",
        status: int = 0,
    ) -> None:
        super().__init__(message, code=code, told=told, status=status)
        self.retry_after = retry_after


class RegistryUnreachableError(RegistryUnavailableError):
    """Nobody listens there, or the name doesn't exist."""


class BadRegistryAnswerError(RegistryError):
    """The registry's answer contradicts itself or the specification."""


class CertificateProblemError(RegistryError):
    """The registry's certificate, or ours, is not acceptable; the text says which and why."""


class TransferCancelledError(RegistryError):
    """The caller's :class:`~boxship.distribution.cancel.Cancel` was set."""

    def __init__(self) -> None:
        super().__init__("the transfer was cancelled")
