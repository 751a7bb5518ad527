"""``--chown``: names are those of the tree that is written to."""

from dataclasses import dataclass

from boxship.base.errors import InvalidArgumentError
from boxship.runtime.users import UnknownUserError, read_database, resolve_user
from boxship.solver.operations import Owner

_PASSWD, _GROUP = "/etc/passwd", "/etc/group"


@dataclass(frozen=True, slots=True)
class Ids:
    """A user's and a group's number."""

    uid: int = 0
    gid: int = 0


ROOT = Ids()


def ids_of(root: int, owner: Owner | None) -> Ids | None:
    """Look an owner up. None stays None; InvalidArgumentError: the tree knows no such name.

    Without a group it is the user's own, and of a number without a name the same number.
    """
    if owner is None:
        return None
    user, group = owner.user or "0", owner.group
    if user.isdecimal() and not group:
        group = user
    text = f"{user}:{group}" if group else user
    try:
        found = resolve_user(text, read_database(root, _PASSWD), read_database(root, _GROUP))
    except UnknownUserError as error:
        asked = f"{owner.user}:{group}" if group else owner.user
        raise InvalidArgumentError(f"--chown={asked}: {error}") from error
    if user.isdecimal():
        return Ids(int(user), found.gid)
    return Ids(found.uid, found.gid)
