"""Who a process runs as: Docker's ``--user`` text, looked up in the root's passwd and group.

``resolve_user`` is pure; ``read_database`` reads a file that the container's image controls. The
rules are those of Docker: the first matching line wins; a number that nobody has is taken as it
is; additional groups are those the user is listed in, unless a group was named.
"""

from __future__ import annotations

import os
import stat

from boxship.base.frozen import dataclass
from boxship.kernel.paths import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_ID = 2**31 - 1
_MAX_DATABASE = 16 << 20
_LONGEST_NUMBER = 20


class UnknownUserError(Exception):
    """The text names nobody; ``str()`` is Docker's message."""


@dataclass(frozen=True, slots=True)
class Identity:
    """``groups`` are the additional ones; ``home`` is empty when passwd has no such user."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    home: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    number: int
    gid: int = 0
    home: str = ""
    members: tuple[str, ...] = ()


def resolve_user(text: str, passwd: str, group: str, extra_groups: Sequence[str] = ()) -> Identity:
    """Look ``name|uid[:group|gid]`` up in the texts of passwd and group."""
    user_text, _, group_text = text.partition(":")
    user = _find(_passwd_entries(passwd), user_text or "0")
    uid = _checked(user.number) if user else _number(user_text, "user", "passwd")
    gid, home = (user.gid, user.home) if user else (0, "")
    groups: tuple[int, ...] = ()
    entries = _group_entries(group)
    if group_text:
        gid = _group_id(entries, group_text)
    elif user:
        groups = tuple(entry.number for entry in entries if user.name in entry.members)
    groups += tuple(_group_id(entries, extra) for extra in extra_groups)
    return Identity(uid, _checked(gid), tuple(map(_checked, dict.fromkeys(groups))), home)


def home_of(uid: int, passwd: str) -> str:
    """Return the home directory of ``uid``, or nothing."""
    return next((entry.home for entry in _passwd_entries(passwd) if entry.number == uid), "")


def read_database(root: int, path: str) -> str:
    """Return the text of ``/etc/passwd`` or ``/etc/group`` below ``root``; empty if missing.

    The image may have put a FIFO, a device or a link to anywhere there, or a file of any size.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
    try:
        fd = openat2(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    except OSError:
        return ""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return ""
    with open(fd, "rb") as stream:
        return stream.read(_MAX_DATABASE).decode("utf-8", "surrogateescape")


def _find(entries: list[_Entry], wanted: str) -> _Entry | None:
    number = int(wanted) if _is_number(wanted) else -1
    return next((e for e in entries if e.name == wanted or e.number == number), None)


def _group_id(entries: list[_Entry], wanted: str) -> int:
    found = _find(entries, wanted)
    return found.number if found else _number(wanted, "group", "group")


def _number(text: str, what: str, database: str) -> int:
    try:
        number = int(text or "0")
    except ValueError:
        raise UnknownUserError(
            f"unable to find {what} {text}: no matching entries in {database} file"
        ) from None
    return _checked(number)


def _checked(number: int) -> int:
    """Refuse, whoever wrote it: 2**32 - 1 would mean "do not change" to the kernel."""
    if not 0 <= number <= _MAX_ID:
        raise UnknownUserError(f"uids and gids must be in range 0-{_MAX_ID}")
    return number


def _is_number(text: str) -> bool:
    """Numbers without end would take time without end to read, so Python refuses them."""
    return len(text) <= _LONGEST_NUMBER and text.isdecimal()


def _passwd_entries(text: str) -> list[_Entry]:
    found = []
    for line in text.splitlines():
        parts = line.strip().split(":")
        if len(parts) >= 4 and _is_number(parts[2]):
            gid = int(parts[3]) if _is_number(parts[3]) else 0
            home = parts[5] if len(parts) > 5 else ""
            found.append(_Entry(parts[0], int(parts[2]), gid, home))
    return found


def _group_entries(text: str) -> list[_Entry]:
    found = []
    for line in text.splitlines():
        parts = line.strip().split(":")
        if len(parts) >= 3 and _is_number(parts[2]):
            members = tuple(parts[3].split(",")) if len(parts) > 3 else ()
            found.append(_Entry(parts[0], int(parts[2]), members=members))
    return found
