"""Puts back what others take away: our tables, and our chain in theirs.

``nft flush ruleset``, a reload of ufw or firewalld and a start of dockerd come as bursts of
changes. So a change is answered when there was quiet for a moment, at the latest after
``_PATIENCE``. If somebody undoes it again and again (a second daemon with our table's name), the
answers become rare.
"""

import logging
import threading
import time
from collections.abc import Callable

from boxship.net.nftables.changes import Change, Changes, were_lost
from boxship.net.nftables.numbers import Family

log = logging.getLogger(__name__)

_QUIET = 0.05
_QUIET_OTHERS = 0.25
"""Scripts that flush a firewall and then remove its chains find one in use if we are too quick."""
_PATIENCE = 0.7
_CALM = 10.0
_LONGEST_PAUSE = 30.0
_FILTERING = (Family.INET, Family.IPV4, Family.IPV6)


class Watch:
    """A thread that calls ``mend(ours, others)`` after changes by sockets of other ports.

    ``ours``: tables of our name were changed; ``others``: those where packets are forwarded.
    """

    def __init__(self, table: str, port: int, mend: Callable[[bool, bool], None]) -> None:
        """Listen in the namespace of the calling thread."""
        self._table, self._port, self._mend = table, port, mend
        self._changes = Changes()
        self._pause, self._last = 0.0, 0.0
        self._thread = threading.Thread(target=self._work, name="firewall-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it, and wait for the end."""
        self._changes.stop()
        self._thread.join()
        self._changes.close()

    def _work(self) -> None:
        try:
            while (ours_others := self._burst()) is not None:
                if any(ours_others) and not self._mended(*ours_others):
                    return
        except OSError:
            log.exception("what others change in the firewall goes unnoticed from now on")

    def _burst(self) -> tuple[bool, bool] | None:
        """Wait for changes, then for quiet; None at the end."""
        ours = others = False
        deadline: float | None = None
        while True:
            try:
                quiet = _QUIET_OTHERS if others else _QUIET
                found = self._changes.wait((self._port,), quiet if deadline else None)
            except OSError as error:
                if not were_lost(error):
                    raise
                ours = others = True
                found = set()
            if found is None:
                return None
            ours = ours or any(self._is_ours(change) for change in found)
            others = others or any(self._is_others(change) for change in found)
            if (ours or others) and deadline is None:
                deadline = time.monotonic() + _PATIENCE
            elif deadline is None or not found or time.monotonic() > deadline:
                return ours, others

    def _mended(self, ours: bool, others: bool) -> bool:
        now = time.monotonic()
        soon = ours and now - self._last < _CALM
        self._pause = min(max(2 * self._pause, 0.1), _LONGEST_PAUSE) if soon else 0.0
        if self._pause and self._changes_while_pausing() is None:
            return False
        if ours:
            self._last = now
        self._mend(ours, others)
        return True

    def _changes_while_pausing(self) -> bool | None:
        end = time.monotonic() + self._pause
        while (left := end - time.monotonic()) > 0:
            try:
                if self._changes.wait((self._port,), left) is None:
                    return None
            except OSError as error:
                if not were_lost(error):
                    raise
        return True

    def _is_ours(self, change: Change) -> bool:
        return change.table == self._table

    def _is_others(self, change: Change) -> bool:
        return change.table != self._table and change.structure and change.family in _FILTERING
