"""Image references, with the grammar and the wording of Docker's clients and registries.

::

    reference       = name [ ":" tag ] [ "@" digest ]
    name            = [ domain "/" ] component *( "/" component )
    domain          = host [ ":" 1*DIGIT ]
    host            = label *( "." label ) / "[" 1*( HEXDIG / ":" ) "]"
    component       = alnum *( separator alnum )          ; alnum: lower case
    separator       = "." / "_" / "__" / 1*"-"
    tag             = word *127( word / "." / "-" )

People write *familiar* names (``busybox``, ``me/app:1``). What stands before the first slash is a
domain only if it is ``localhost``, has a dot, a colon or an upper-case letter; otherwise the name
lives on ``docker.io``, one-component names under ``library/``.
"""

import re
from dataclasses import dataclass, replace

from boxship.oci.digest import Digest, DigestError

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_LEGACY_DEFAULT_DOMAIN = "index.docker.io"
_OFFICIAL = "library/"
_LONGEST_PATH = 255

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[(?:[a-fA-F0-9:]+)\])"
_DOMAIN = rf"{_HOST}(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*"
_PATH = rf"{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[\w][\w.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*[:][0-9a-fA-F]{32,}"

_REFERENCE = re.compile(
    rf"(?P<name>(?:{_DOMAIN}/)?{_PATH})(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?", re.ASCII
)
_NAME = re.compile(rf"(?:(?P<domain>{_DOMAIN})/)?(?P<path>{_PATH})", re.ASCII)
_TAG_ONLY = re.compile(_TAG, re.ASCII)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")


class InvalidReferenceError(ValueError):
    """The text is no image reference; ``str(error)`` is Docker's wording."""


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """A normalised reference; ``tag`` and ``digest`` may be empty.

    ``domain`` is empty for what looks like a domain to the rule for familiar names but is none to
    the grammar (``a_b.c/d``): then all of it is the path, as in Docker.
    """

    domain: str
    path: str
    tag: str = ""
    digest: Digest | None = None

    @property
    def name(self) -> str:
        """The full repository name, as ``docker.io/library/busybox``."""
        return f"{self.domain}/{self.path}" if self.domain else self.path

    @property
    def familiar_name(self) -> str:
        """The repository as people write it: ``busybox``, ``quay.io/app``."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        rest = self.path.removeprefix(_OFFICIAL)
        return self.path if "/" in rest else rest

    @property
    def familiar(self) -> str:
        """The whole reference as people write it."""
        return self.familiar_name + self._suffix()

    def with_default_tag(self) -> "Reference":
        """Add ``latest`` if there is neither tag nor digest."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def with_tag(self, tag: str) -> "Reference":
        """Return the same repository with this tag and no digest."""
        if _TAG_ONLY.fullmatch(tag) is None:
            raise InvalidReferenceError("invalid tag format")
        return replace(self, tag=tag, digest=None)

    def with_digest(self, digest: Digest) -> "Reference":
        """Return the same repository with this digest and no tag."""
        return replace(self, tag="", digest=digest)

    def __str__(self) -> str:
        return self.name + self._suffix()

    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse(text: str) -> Reference:
    """Read what a person wrote; nothing is added but the domain and ``library/``."""
    if _IDENTIFIER.fullmatch(text):
        raise InvalidReferenceError(
            f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
        )
    domain, remainder = _split_domain(text)
    remote = remainder.partition(":")[0]
    if remote.lower() != remote:
        raise InvalidReferenceError(
            f"invalid reference format: repository name ({remote}) must be lowercase"
        )
    return parse_canonical(f"{domain}/{remainder}")


def parse_canonical(text: str) -> Reference:
    """Read a full reference by the bare grammar; a missing domain stays empty."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        if not text:
            raise InvalidReferenceError("repository name must have at least one component")
        if _REFERENCE.fullmatch(text.lower()):
            raise InvalidReferenceError("repository name must be lowercase")
        raise InvalidReferenceError("invalid reference format")
    name = _NAME.fullmatch(match["name"])
    assert name is not None  # the first expression contains the second
    if len(name["path"]) > _LONGEST_PATH:
        raise InvalidReferenceError(
            f"repository name must not be more than {_LONGEST_PATH} characters"
        )
    return Reference(name["domain"] or "", name["path"], match["tag"] or "", _digest(match))


def _digest(match: re.Match[str]) -> Digest | None:
    if not match["digest"]:
        return None
    try:
        return Digest.parse(match["digest"])
    except DigestError as error:
        raise InvalidReferenceError(str(error)) from error


def _split_domain(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    if not slash:
        return DEFAULT_DOMAIN, _OFFICIAL + text
    if first == _LEGACY_DEFAULT_DOMAIN:
        domain, remote = DEFAULT_DOMAIN, rest
    elif first == "localhost" or "." in first or ":" in first or first.lower() != first:
        domain, remote = first, rest
    else:
        domain, remote = DEFAULT_DOMAIN, text
    if domain == DEFAULT_DOMAIN and "/" not in remote:
        remote = _OFFICIAL + remote
    return domain, remote
