"""A script's voice: each call with what came of it, up to the first surprise."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

WIDTH = 110


class SurpriseError(AssertionError):
    """Something came of a call that should not have."""


@dataclass(frozen=True)
class Scene:
    """What scripts find: an engine that has ``busybox`` and nothing else, and a plain registry."""

    socket: str
    registry: str
    """``HOST:PORT``, as the engine reaches it."""
    lines: list[str] = field(default_factory=list)
    """What has been told so far."""
    say: Callable[[str], None] = print

    def tell(self, call: str, came: object = "") -> None:
        text = " ".join(str(came).split())
        line = f"> {call}" + (f"\n  {text[:WIDTH]}{'…' * (len(text) > WIDTH)}" if text else "")
        self.lines.append(line)
        self.say(line)

    def same(self, call: str, came: object, wanted: object) -> None:
        """This came of it, and nothing else should have."""
        self.tell(call, came)
        if came != wanted:
            raise SurpriseError(f"{call}: {came!r}, not {wanted!r}")

    def holds(self, call: str, came: object, holds: object) -> None:
        """This came of it, of which something ``holds``."""
        self.tell(call, came)
        if not holds:
            raise SurpriseError(f"{call}: {came!r}")

    def has(self, call: str, came: Any, *wanted: object) -> None:
        """All these are in it."""
        self.tell(call, came)
        for one in wanted:
            if one not in came:
                raise SurpriseError(f"{call}: no {one!r} in {came!r}")

    def refused(
        self, call: str, kind: type[BaseException], action: Callable[[], object], *words: str
    ) -> None:
        """It fails with this error of the client's, whose text has these words."""
        try:
            came = action()
        except kind as error:
            self.has(call, str(error), *words)
        else:
            raise SurpriseError(f"{call}: went through, with {came!r}")


def lines_of(chunks: Iterable[bytes]) -> list[str]:
    """A stream's text by line."""
    return b"".join(chunks).decode().splitlines()
