"""Reading the value of ``RUN --mount``: comma-separated fields, one mount."""

import csv
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from boxship.base.units import parse_bytes
from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.mounts import (
    BindMount,
    CacheMount,
    Mount,
    Owner,
    SecretMount,
    Sharing,
    SshMount,
    TmpfsMount,
)
from boxship.dockerfile.suggestions import nearest

_LARGEST = (1 << 63) - 1
_SAME = {
    "src": "source",
    "dst": "target",
    "destination": "target",
    "ro": "readonly",
    "rw": "readwrite",
}
_SWITCHES = frozenset(("readonly", "readwrite", "required"))
_TYPES = ("bind", "cache", "tmpfs", "secret", "ssh")
_OWNED = ("cache", "secret", "ssh")
# Fields that only some types know. All others are accepted by every type, and ignored by some.
_ONLY = {
    "required": ("secret", "ssh"),
    "size": ("tmpfs",),
    "env": ("secret",),
    "sharing": ("cache",),
    "mode": _OWNED,
    "uid": _OWNED,
    "gid": _OWNED,
}
_KNOWN = ("type", "from", "source", "target", "readonly", "readwrite", "id", *_ONLY)
_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))


def read_mount(word: str, expand: Callable[[str], str]) -> Mount:
    """Read one mount; ``expand`` replaces variables in each value. Raise DockerfileError."""
    fields = _fields(word, expand)
    kind = fields.get("type", "bind").lower()
    if kind not in _TYPES:
        raise DockerfileError(f'unsupported mount type "{kind}"', hint=nearest(kind, _TYPES))
    for name in fields:
        if kind not in _ONLY.get(name, _TYPES):
            raise DockerfileError(
                f"unexpected key '{name}' for mount type '{kind}'",
                hint=f"it is for {', '.join(_ONLY[name])}",
            )
    return _MAKERS[kind](fields)


def _fields(word: str, expand: Callable[[str], str]) -> dict[str, str]:
    try:
        rows = list(csv.reader([word], strict=True))
    except csv.Error as error:
        raise DockerfileError(f"failed to parse csv mounts: {error}") from None
    fields: dict[str, str] = {}
    for part in rows[0] if rows else ():
        written, separator, value = part.partition("=")
        name = _SAME.get(written.lower(), written.lower())
        if name not in _KNOWN:
            hint = nearest(written, (*_KNOWN, *_SAME))
            raise DockerfileError(f"unexpected key '{written}' in '{part}'", hint=hint)
        if not separator and name not in _SWITCHES:
            raise DockerfileError(f"invalid field '{part}' must be a key=value pair")
        if name == "from" and "$" in value[:-1]:
            raise DockerfileError(
                "'from' doesn't support variable expansion, define alias stage instead"
            )
        fields[name] = expand(value) if separator else "true"
    return fields


def _switch(fields: Mapping[str, str], name: str) -> bool | None:
    value = fields.get(name)
    if value is not None and value not in _TRUE | _FALSE:
        raise DockerfileError(f"invalid value for {name}: {value}", hint="it is true or false")
    return None if value is None else value in _TRUE


def _writable(fields: Mapping[str, str], otherwise: bool) -> bool:
    readonly, readwrite = _switch(fields, "readonly"), _switch(fields, "readwrite")
    if readonly is not None:
        return not readonly
    return otherwise if readwrite is None else readwrite


def _number(fields: Mapping[str, str], name: str, base: int = 10) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    digits = "01234567" if base == 8 else "0123456789"
    if not value or value.strip(digits) or len(value) > 12 or int(value, base) >= 2**32:
        raise DockerfileError(f"invalid value {value} for {name}")
    return int(value, base)


def _owner(fields: Mapping[str, str]) -> Owner:
    return Owner(
        uid=_number(fields, "uid"), gid=_number(fields, "gid"), mode=_number(fields, "mode", 8)
    )


def _target(fields: Mapping[str, str]) -> str:
    """Return the target; relative ones, also the empty one, are seen from the working directory."""
    target = fields.get("target", "")
    if target.startswith("/") and not PurePosixPath(target).parts[1:]:
        raise DockerfileError(f'invalid mount target "{target}"')
    return target


def _bind(fields: Mapping[str, str]) -> Mount:
    return BindMount(
        target=_target(fields),
        source=fields.get("source", ""),
        origin=fields.get("from") or None,
        writable=_writable(fields, False),
    )


def _cache(fields: Mapping[str, str]) -> Mount:
    sharing = fields.get("sharing", "shared").lower()
    modes = [one.value for one in Sharing]
    if sharing not in modes:
        raise DockerfileError(
            f'unsupported sharing value "{sharing}"',
            hint=nearest(sharing, modes) or f"it is one of {', '.join(modes)}",
        )
    return CacheMount(
        target=_target(fields),
        id=fields.get("id", ""),
        sharing=Sharing(sharing),
        origin=fields.get("from") or None,
        source=fields.get("source", ""),
        writable=_writable(fields, True),
        owner=_owner(fields),
    )


def _tmpfs(fields: Mapping[str, str]) -> Mount:
    size = fields.get("size", "0")
    try:
        wanted = parse_bytes(size)
    except (ValueError, OverflowError):
        wanted = -1
    if not 0 <= wanted <= _LARGEST:
        raise DockerfileError(f"invalid value for size: {size}")
    return TmpfsMount(target=_target(fields), size=wanted)


def _secret(fields: Mapping[str, str]) -> Mount:
    if fields.get("from"):
        raise DockerfileError("secret mount should not have a from")
    if fields.get("source") and fields.get("id"):
        raise DockerfileError("both source and id can't be set")
    target, variable = fields.get("target", ""), fields.get("env") or None
    identity = fields.get("source") or fields.get("id") or PurePosixPath(target).name
    if not identity:
        raise DockerfileError("invalid secret mount. one of source, target required")
    if not target and variable is None:
        target = f"/run/secrets/{PurePosixPath(identity).name}"
    return SecretMount(
        id=identity,
        target=target,
        variable=variable,
        required=_switch(fields, "required") or False,
        owner=_owner(fields),
    )


def _ssh(fields: Mapping[str, str]) -> Mount:
    return SshMount(
        id=fields.get("id") or fields.get("source") or "default",
        target=fields.get("target", ""),
        required=_switch(fields, "required") or False,
        owner=_owner(fields),
    )


_MAKERS: Mapping[str, Callable[[Mapping[str, str]], Mount]] = {
    "bind": _bind,
    "cache": _cache,
    "tmpfs": _tmpfs,
    "secret": _secret,
    "ssh": _ssh,
}
