"""``userns-remap``: whose subordinate ids containers get, read from the host's databases.

::

    /etc/subuid, /etc/subgid     name-or-uid:first:count       subuid(5)

All ranges of a user count, one after the other, so that ids in containers have no gaps. With
``default`` they are those of ``dockremap``, whom we make when he is missing, as dockerd does: who
has used that before keeps his ids.
"""

import grp
import logging
import os
import pwd
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from boxship.base.errors import InvalidArgumentError, UnavailableError
from boxship.engine.settings import UserMaps
from boxship.oci.runtime import IdMapping

log = logging.getLogger(__name__)

DEFAULT = "default"
DEFAULT_USER = "dockremap"
_FIRST = 100_000
_COUNT = 65_536
_MOST_RANGES = 340
"""What the kernel takes as a map (``user_namespaces(7)``)."""
_TIMEOUT = 30.0


@dataclass(frozen=True)
class Databases:
    """Where subordinate ids are looked up; tests have their own."""

    subuid: str = "/etc/subuid"
    subgid: str = "/etc/subgid"


def user_maps(option: str, databases: Databases | None = None) -> UserMaps | None:
    """Return the maps that ``--userns-remap`` asks for; None: there are to be none.

    InvalidArgumentError: there is no such user or group, or it has no ids to give;
    UnavailableError: the default user could not be made.
    """
    if not option:
        return None
    databases = databases or Databases()
    name, group = _names(option, databases)
    if name == "root":
        log.warning("userns-remap: root cannot stand for root; users are not mapped")
        return None
    uids = _ranges(databases.subuid, name, str(pwd.getpwnam(name).pw_uid))
    gids = _ranges(databases.subgid, group, str(grp.getgrnam(group).gr_gid))
    return UserMaps(_map(uids), _map(gids))


def check_user_maps(option: str, databases: Databases | None = None) -> None:
    """Raise what :func:`user_maps` would, and make nobody: the default user may come later."""
    user, colon, group = option.partition(":")
    if user != DEFAULT:
        user_maps(option, databases)
    elif colon:
        _group(group)


def _names(option: str, databases: Databases) -> tuple[str, str]:
    """Return the names of user and group that the option means."""
    user, colon, group = option.partition(":")
    if not user or ":" in group or (colon and not group):
        raise InvalidArgumentError(
            f'invalid user/group specification in --userns-remap: "{option}" '
            "(default, user, uid, user:group or uid:gid is expected)"
        )
    if user == DEFAULT:
        _make_default_user(databases)
        user = DEFAULT_USER
    name = _user(user)
    # A number alone stands for both, a name for the group of that name.
    return name, _group(group or user)


def _user(text: str) -> str:
    try:
        return (pwd.getpwuid(int(text)) if text.isdecimal() else pwd.getpwnam(text)).pw_name
    except (KeyError, OverflowError):
        message = f'invalid userns-remap: no user "{text}" in /etc/passwd'
        raise InvalidArgumentError(message) from None


def _group(text: str) -> str:
    try:
        return (grp.getgrgid(int(text)) if text.isdecimal() else grp.getgrnam(text)).gr_name
    except (KeyError, OverflowError):
        message = f'invalid userns-remap: no group "{text}" in /etc/group'
        raise InvalidArgumentError(message) from None


def _ranges(path: str, *names: str) -> tuple[tuple[int, int], ...]:
    found = tuple((first, count) for who, first, count in _entries(path) if who in names)
    if not found:
        raise InvalidArgumentError(
            f'invalid userns-remap: no ids of "{names[0]}" in {path} '
            f"(a line such as {names[0]}:{_FIRST}:{_COUNT} gives some)"
        )
    if len(found) > _MOST_RANGES:
        raise InvalidArgumentError(
            f"invalid userns-remap: {names[0]} has {len(found)} ranges in {path}, "
            f"the kernel takes {_MOST_RANGES}"
        )
    return found


def _entries(path: str) -> Iterator[tuple[str, int, int]]:
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(f"cannot read {path}: {error}") from error
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        fields = text.split(":")
        if len(fields) != 3 or not (fields[1].isdecimal() and fields[2].isdecimal()):
            raise InvalidArgumentError(f"{path}:{number}: name:first:count is expected: {line}")
        first, count = int(fields[1]), int(fields[2])
        if count and first + count < 2**32:
            yield fields[0], first, count


def _map(ranges: tuple[tuple[int, int], ...]) -> tuple[IdMapping, ...]:
    mappings, inside = [], 0
    for first, count in ranges:
        mappings.append(IdMapping(inside, first, count))
        inside += count
    return tuple(mappings)


# ── the default user ─────────────────────────────────────────────────────────────────────────


def _make_default_user(databases: Databases) -> None:
    try:
        pwd.getpwnam(DEFAULT_USER)
    except KeyError:
        _run("useradd", "--system", "--user-group", "--no-create-home", "--shell",
             "/usr/sbin/nologin", DEFAULT_USER)  # fmt: skip
    for path, option in ((databases.subuid, "--add-subuids"), (databases.subgid, "--add-subgids")):
        taken = tuple(_entries(path))
        if all(name != DEFAULT_USER for name, _, _ in taken):
            first = free_range(tuple((start, count) for _, start, count in taken))
            _run("usermod", option, f"{first}-{first + _COUNT - 1}", DEFAULT_USER)


def free_range(taken: tuple[tuple[int, int], ...]) -> int:
    """Return where ids begin that nobody has been given."""
    first = _FIRST
    for start, count in sorted(taken):
        if start < first + _COUNT and first < start + count:
            first = start + count
    return first


def _run(*command: str) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"userns-remap: {command[0]}: {error}") from error
    if done.returncode:
        said = done.stderr.strip().replace("\n", "; ")
        raise UnavailableError(
            f"userns-remap: cannot make the user {DEFAULT_USER}: {command[0]}: {said} "
            "(make it by hand, or name another user)"
        )
