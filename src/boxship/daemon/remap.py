"""``userns-remap``: from a user's name to the ids that containers' users are outside.

The ranges are those that ``/etc/subuid`` and ``/etc/subgid`` give that user and group
(subuid(5)). The first range holds root and so on, one after the other.
"""

import grp
import os
import pwd
import subprocess

from boxship.base.errors import InvalidArgumentError
from boxship.model.usermaps import Map, UserMaps

DEFAULT_USER = "dockremap"
_FIRST_KERNEL = (5, 19)
"""Since then overlayfs stands on layers that are mapped."""
_SUBUID, _SUBGID = "/etc/subuid", "/etc/subgid"


def user_maps(text: str) -> UserMaps | None:
    """Return the maps for ``default``, a user or ``user:group`` by name or id; None without any.

    ``default`` is a user and group of its own, made by useradd(8) when there is none.
    InvalidArgumentError: there is no such user or group, or it has no range.
    """
    if not text:
        return None
    if tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) < _FIRST_KERNEL:
        raise InvalidArgumentError("userns-remap: Linux 5.19 or newer is needed to map layers")
    if text == "default":
        text = DEFAULT_USER
        _make_default_user()
    user, colon, group = text.partition(":")
    uid, user_name = _user(user)
    gid, group_name = _group(group) if colon else _group(user_name)
    return UserMaps(
        uid_map=_ranges(_SUBUID, user_name, uid),
        gid_map=_ranges(_SUBGID, group_name, gid),
    )


def read_ranges(text: str, name: str, number: int) -> Map:
    """Return the ranges of one user or group as a map; lines that are no range do not count."""
    entries: list[tuple[int, int, int]] = []
    inside = 0
    for line in text.splitlines():
        fields = line.strip().split(":")
        if len(fields) != 3 or fields[0] not in (name, str(number)):
            continue
        if not (fields[1].isdecimal() and fields[2].isdecimal()) or not int(fields[2]):
            continue
        first, count = int(fields[1]), int(fields[2])
        entries.append((inside, first, count))
        inside += count
    return tuple(entries)


def _user(text: str) -> tuple[int, str]:
    try:
        entry = pwd.getpwuid(int(text)) if text.isdecimal() else pwd.getpwnam(text)
    except KeyError:
        raise InvalidArgumentError(f"userns-remap: there is no user {text!r}") from None
    return entry.pw_uid, entry.pw_name


def _group(text: str) -> tuple[int, str]:
    try:
        entry = grp.getgrgid(int(text)) if text.isdecimal() else grp.getgrnam(text)
    except KeyError:
        raise InvalidArgumentError(f"userns-remap: there is no group {text!r}") from None
    return entry.gr_gid, entry.gr_name


def _ranges(path: str, name: str, number: int) -> Map:
    found = read_ranges(_text_of(path), name, number)
    if not found:
        raise InvalidArgumentError(
            f"userns-remap: {path} has no range for {name}: add a line like {name}:100000:65536"
        )
    return found


def _make_default_user() -> None:
    """Make the user, its group and its ranges where they are missing."""
    try:
        pwd.getpwnam(DEFAULT_USER)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--no-create-home", DEFAULT_USER]
        _administer([*command, "--shell", "/usr/sbin/nologin"])
    first = _first_free()
    for path, flag in ((_SUBUID, "--add-subuids"), (_SUBGID, "--add-subgids")):
        if not _has_range(path):
            _administer(["usermod", flag, f"{first}-{first + 65535}", DEFAULT_USER])


def _has_range(path: str) -> bool:
    return bool(read_ranges(_text_of(path), DEFAULT_USER, pwd.getpwnam(DEFAULT_USER).pw_uid))


def _first_free() -> int:
    """Return the first id behind all ranges that anybody has."""
    ends = [100000]
    for path in (_SUBUID, _SUBGID):
        for line in _text_of(path).splitlines():
            fields = line.strip().split(":")
            if len(fields) == 3 and fields[1].isdecimal() and fields[2].isdecimal():
                ends.append(int(fields[1]) + int(fields[2]))
    return max(ends)


def _text_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def _administer(command: list[str]) -> None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except OSError as error:
        words = f"{command[0]}: {error.strerror}"
    else:
        if result.returncode == 0:
            return
        words = result.stderr.strip() or f"{command[0]} ended with {result.returncode}"
    raise InvalidArgumentError(f"userns-remap: the user {DEFAULT_USER} cannot be made: {words}")
