"""What the engine remembers of a scope: ``Scope``, persisted, frozen, as JSON.

A field added later gets a default here and needs no migration.
"""

import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from boxship.base.errors import ForbiddenError, InvalidArgumentError

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")

_ATTRIBUTES = frozenset(
    {"image", "name", "oldName", "exitCode", "execDuration", "execID", "signal", "reclaimed"}
)
"""What events say of a container beside its labels, under the same names as labels have."""


class Scope(Struct, frozen=True):
    """What somebody may do who comes in by this scope's socket, or with its token.

    ``labels``: only objects that carry all of them exist for this scope; without any, all do.
    Of a token only the SHA-256 is kept, as hex digits; it has 256 bits of chance in it, so that a
    slow hash would protect nothing more. Without one, the scope has a socket.
    """

    name: str
    permissions: tuple[str, ...]
    labels: dict[str, str] = {}
    token_sha256: str = ""
    group: str = ""
    """Who may connect to the socket beside root; empty: root alone."""
    created_ns: int = 0

    def allows(self, permission: str) -> bool:
        return permission in self.permissions

    def demand(self, permission: str, what: str = "") -> None:
        """Raise ForbiddenError unless the permission is there; ``what`` was asked for."""
        if not self.allows(permission):
            raise ForbiddenError(
                f"the scope {self.name} does not allow {what or 'this'}: it lacks {permission}"
            )

    def sees(self, labels: Mapping[str, str] | None) -> bool:
        """Tell whether an object with these labels exists for this scope."""
        has = labels or {}
        return all(has.get(name) == value for name, value in self.labels.items())

    @property
    def label_words(self) -> tuple[str, ...]:
        """The labels as in a filter: ``name=value``."""
        return tuple(f"{name}={value}" for name, value in self.labels.items())

    def labelled(self, labels: Mapping[str, str] | None) -> dict[str, str]:
        """Return the labels of an object that the scope makes: those asked for, and its own.

        ForbiddenError: one of the scope's is asked for with another value.
        """
        asked = dict(labels or {})
        for name, value in self.labels.items():
            if asked.setdefault(name, value) != value:
                raise ForbiddenError(
                    f"the scope {self.name} makes objects with {name}={value} alone, "
                    f"not with {name}={asked[name]}"
                )
        return asked


def check_name(name: str) -> None:
    """Raise InvalidArgumentError unless a scope can be called so."""
    if not _NAME.fullmatch(name):
        raise InvalidArgumentError(
            f"invalid name {name!r}: up to 63 letters, digits, _ . and -, the first a letter or "
            "a digit"
        )


def check_labels(labels: Mapping[str, str]) -> None:
    """Raise InvalidArgumentError for labels that could be mistaken for something else."""
    for name in labels:
        if not name:
            raise InvalidArgumentError("invalid label: it has no name")
        if name in _ATTRIBUTES:
            raise InvalidArgumentError(
                f"a scope can't be bound to the label {name}: events call something else so"
            )


_DECODER = msgspec.json.Decoder(Scope)
_ENCODER = msgspec.json.Encoder()


def encode_scope(scope: Scope) -> bytes:
    """Write the record as it stands in the database."""
    return _ENCODER.encode(scope)


def decode_scope(body: bytes) -> Scope:
    """Read what :func:`encode_scope` wrote, also of an older version."""
    return _DECODER.decode(body)
