"""``boxship __complete WORDS…``: what a shell's script asks at each press of the key."""

import signal
from collections.abc import Callable, Sequence
from importlib import import_module

from boxship.base.errors import BoxshipError
from boxship.cli.catalog import Entry
from boxship.cli.completing.asking import names
from boxship.cli.completing.protocol import answer
from boxship.cli.completing.wishes import find_wish
from boxship.cli.flags import Flag, FlagError, HelpRequested, Parser, Values
from boxship.cli.session import Session
from boxship.cli.verb import Command

_PATIENCE = 5
"""Seconds that a daemon has for its answer; then this process ends, and nothing is filled in."""


def complete(
    words: Sequence[str],
    flags: Sequence[Flag],
    open_session: Callable[[Values], Session],
    *,
    explained: bool,
) -> str:
    """Return the answer for a line; ``words`` end with the one under the cursor, perhaps empty."""
    wish = find_wish(words, flags, _load)
    found = []
    if wish.sources:
        try:
            session = open_session(_globals(words, flags))
        except BoxshipError:
            pass  # the line names no daemon that could be asked; the tables answer all the same
        else:
            signal.alarm(_PATIENCE)
            found = [name for source in wish.sources for name in names(session, source)]
            signal.alarm(0)
    return answer(wish, found, explained=explained)


def _globals(words: Sequence[str], flags: Sequence[Flag]) -> Values:
    """The program's own flags at the begin of the line, as far as they are whole."""
    try:
        return Parser(flags, interspersed=False).parse(words[:-1])[0]
    except (FlagError, HelpRequested):
        return Values(flags)


def _load(entry: Entry) -> Command:
    command: Command = import_module(f"boxship.cli.command.{entry.module}").COMMAND
    return command
