"""Verbs that do one thing to each of several objects."""

from collections.abc import Callable, Container, Iterable

from boxship.base.errors import BoxshipError, NotModifiedError
from boxship.cli.exitcodes import FAILURE
from boxship.cli.session import Session


def for_each(
    session: Session,
    names: Iterable[str],
    act: Callable[[str], object],
    *,
    quiet: Container[str] = (),
) -> int:
    """Act on each name and print it; an error is printed and the others still get their turn.

    Names that are in ``quiet`` by then are not printed.
    """
    code = 0
    for name in names:
        try:
            act(name)
        except NotModifiedError:
            pass  # it is so already
        except BoxshipError as error:
            session.warn(str(error))
            code = FAILURE
            continue
        if name not in quiet:
            session.say(name)
    return code
