"""What can go wrong on the way from a mirror to an image."""

from boxship.base.errors import (
    ForbiddenError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)


class MirrorUnreachableError(UnavailableError):
    """The mirror does not answer, or only with errors of its own."""


class NotOnMirrorError(NotFoundError):
    """The mirror has no such suite, component, architecture or package."""


class BadSignatureError(ForbiddenError):
    """A release is not signed by a key that is trusted, or is out of date."""


class DamagedDownloadError(UnavailableError):
    """A file is not the one that the signed release announces."""


class UnknownDistributionError(InvalidArgumentError):
    """There is no rule for this distribution, variant or architecture."""


class MalformedPackageError(UnavailableError):
    """A package or an index is not in Debian's format."""


class MaintainerScriptError(InternalError):
    """The packages could not be configured in their container."""
