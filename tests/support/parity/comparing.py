"""Where two outcomes of one step differ.

Both sides make ids, times and directories of their own. Times and directories are replaced by what
they are; ids have to correspond: wherever one side has an id, the other has the one that it had in
the same place before.

Places are written ``exit``, ``out``, ``err`` of a program, ``status``, ``type``, ``headers.X``,
``body`` of a request, and into JSON ``out[].State.Pid``.
"""

import base64
import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from support.api import unframe
from support.parity.performing import Answered, Outcome, Ran, listing
from support.parity.scenarios import Scenario, Step


@dataclass(frozen=True)
class Difference:
    """At a place of one step's outcome the sides are not the same."""

    scenario: str
    step: Step
    at: str
    dockerd: str
    boxshipd: str

    def __str__(self) -> str:
        return (
            f"{self.scenario}: {self.step.run}\n    {self.at}\n"
            f"        dockerd:  {_shown(self.dockerd)}\n        boxshipd: {_shown(self.boxshipd)}"
        )


def _shown(text: str) -> str:
    return text.replace("\n", "\n                  ")


ABSENT = "(absent)"

_ID = re.compile(r"(?<![0-9a-zA-Z])(?:[0-9a-f]{64}|[0-9a-f]{12})(?![0-9a-zA-Z])")
_REPLACED = tuple(
    (re.compile(pattern), word)
    for pattern, word in (
        # Said by the client when an error comes before it has sent everything.
        (r'time="[^"]*" level=error msg="Can.t (add file|close tar)[^\n]*closed pipe"\n?', ""),
        (r"/tmp/bx-[a-z0-9_]{8}", "<home>"),
        (r"198\.51\.100\.[12]0\b", "<machine>"),
        (r"(?!0001)\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<time>"),
        (r"(?!0001)\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} [A-Z]+", "<time>"),
        (r"\b(Less than a second|About an? \w+|\d+ (second|minute|hour)s?)\b", "<span>"),
        (r"\b\d+ (days|weeks|months|years)( ago)?", "<age>"),
        (r" {2,}", "  "),
        (r"[ \t]+(?=\n|$)", ""),
    )
)

_VOLATILE = frozenset(
    {
        "Pid", "time", "timeNano", "Created.int", "SandboxID", "SandboxKey", "EndpointID",
        "MacAddress", "SystemTime", "system_cpu_usage", "cpu_usage", "memory_stats", "pids_stats",
        "blkio_stats", "networks", "Timestamp", "LastTagTime",
    }
)  # fmt: skip
"""Keys of JSON whose values are anybody's; their types are compared."""


class Correspondence:
    """Which id of one side is which of the other, found out on the way."""

    def __init__(self) -> None:
        self._ours: dict[str, str] = {}
        self._theirs: dict[str, str] = {}

    def binds(self, theirs: str, ours: str) -> bool:
        """Whether these two are the same thing, as far as is known."""
        a, b = theirs[:12], ours[:12]
        if len(theirs) != len(ours):
            return False
        return self._ours.setdefault(a, b) == b and self._theirs.setdefault(b, a) == a

    def ours(self, theirs: str) -> str | None:
        return self._ours.get(theirs[:12])

    def translated(self, text: str) -> str:
        """The text with the first half of our ids for theirs, and a word for unknown ones."""
        return _ID.sub(lambda match: self._ours.get(match[0][:12], "<id>"), text)

    def shortened(self, text: str) -> str:
        """The same of ours."""
        return _ID.sub(lambda match: self._known(match[0][:12]), text)

    def _known(self, ours: str) -> str:
        return ours if ours in self._theirs else "<id>"


def compare(
    scenario: Scenario, outcomes: list[tuple[Outcome, Outcome]]
) -> Iterator[tuple[Step, list[Difference]]]:
    """Yield each compared step with its differences."""
    ids = Correspondence()
    steps = [step for step in scenario.steps if step.is_compared]
    for step, (theirs, ours) in zip(steps, outcomes, strict=True):
        comparison = _Comparison(scenario.id, step, ids)
        yield step, list(comparison.outcomes(theirs, ours))


class _Comparison:
    def __init__(self, scenario: str, step: Step, ids: Correspondence) -> None:
        self._scenario = scenario
        self._step = step
        self._ids = ids

    def outcomes(self, theirs: Outcome, ours: Outcome) -> Iterator[Difference]:
        left, right = _parts(theirs), _parts(ours)
        for at in left:
            yield from self._values(at, left[at], right[at])

    def _values(self, at: str, left: Any, right: Any) -> Iterator[Difference]:
        if not self._is_asked(at):
            return
        match left, right:
            case dict(), dict():
                yield from self._mappings(at, left, right)
            case list(), list():
                yield from self._lists(at, left, right)
            case str(), str():
                yield from self._texts(at, left, right)
            case _ if type(left) is not type(right):
                yield self._difference(at, _json(left), _json(right))
            case _ if left != right and not self._step.shape and not _is_volatile(at, left):
                yield self._difference(at, _json(left), _json(right))

    def _is_asked(self, at: str) -> bool:
        step = self._step
        if any(fnmatchcase(at, _pattern(place)) for place in step.ignore):
            return False
        return not step.only or any(
            fnmatchcase(at, _pattern(place)) or place.startswith(at) or at.startswith(place)
            for place in step.only
        )

    def _mappings(
        self, at: str, left: Mapping[str, Any], right: Mapping[str, Any]
    ) -> Iterator[Difference]:
        partners = {key: self._partner(key, right) for key in left}
        for key, partner in partners.items():
            place = f"{at}.{_normal(key)}" if _ID.fullmatch(key) is None else f"{at}.<id>"
            if partner in right:
                yield from self._values(place, left[key], right[partner])
            elif self._is_asked(place):
                yield self._difference(place, _json(left[key]), ABSENT)
        for key in right.keys() - set(partners.values()):
            if self._is_asked(f"{at}.{key}"):
                yield self._difference(f"{at}.{key}", ABSENT, _json(right[key]))

    def _partner(self, key: str, right: Mapping[str, Any]) -> str:
        """The key on the other side: the same one, or an id that corresponds to it."""
        if _ID.fullmatch(key):
            ours = self._ids.ours(key)
            for other in right:
                if ours == other[:12] or (ours is None and _ID.fullmatch(other)):
                    return other
        normal = _normal(key)
        return next((other for other in right if _normal(other) == normal), key)

    def _lists(self, at: str, left: list[Any], right: list[Any]) -> Iterator[Difference]:
        if self._step.unordered:
            left = sorted(left, key=lambda value: self._ids.translated(_order(value)))
            right = sorted(right, key=lambda value: self._ids.shortened(_order(value)))
        place = f"{at}[]"
        if all(isinstance(value, str) for value in (*left, *right)):
            yield from self._texts(place, "\n".join(left), "\n".join(right))
            return
        for a, b in zip(left, right, strict=False):
            yield from self._values(place, a, b)
        for extra in left[len(right) :]:
            yield self._difference(place, _json(extra), ABSENT)
        for extra in right[len(left) :]:
            yield self._difference(place, ABSENT, _json(extra))

    def _texts(self, at: str, left: str, right: str) -> Iterator[Difference]:
        if self._step.shape or (_is_volatile(at, left) and bool(left) == bool(right)):
            return
        a, b = self._plain(left), self._plain(right)
        if self._step.unordered:
            a = "\n".join(sorted(a.splitlines(), key=self._ids.translated))
            b = "\n".join(sorted(b.splitlines(), key=self._ids.shortened))
        if a != b and _ID.sub("<id>", a) == _ID.sub("<id>", b):
            pairs = zip(_ID.findall(a), _ID.findall(b), strict=True)
            if False not in [self._ids.binds(x, y) for x, y in pairs]:  # all of them are learned
                return
        elif a == b:
            return
        else:
            a, b = _ID.sub("<id>", a), _ID.sub("<id>", b)
        yield self._difference(at, *_unlike(a, b))

    def _plain(self, text: str) -> str:
        for pattern, word in self._step.replace:
            text = re.sub(pattern, word, text)
        return _normal(text).rstrip("\n")

    def _difference(self, at: str, dockerd: str, boxshipd: str) -> Difference:
        return Difference(self._scenario, self._step, at, dockerd, boxshipd)


def _parts(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Ran):
        return {"exit": outcome.code, "out": _document(outcome.out), "err": outcome.err}
    return {
        "status": outcome.status,
        "type": outcome.type,
        "headers": {name: _header(name, value) for name, value in outcome.headers},
        "body": _body(outcome),
    }


def _header(name: str, value: str) -> Any:
    return json.loads(base64.b64decode(value)) if name.endswith("-stat") else value


def _body(answer: Answered) -> Any:
    if "x-tar" in answer.type and answer.status == 200:
        return list(listing(answer.body)) if answer.body else []
    if "multiplexed" in answer.type:
        streams = unframe(answer.body)
        return {str(number): text.decode() for number, text in streams.items()}
    return _document(answer.body.decode(errors="backslashreplace"))


def _document(text: str) -> Any:
    """JSON, or more than one in a row as a list, or else the text."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    decoder, found, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        try:
            value, end = decoder.raw_decode(rest)
        except ValueError:
            return text
        found.append(value)
        rest = rest[end:].lstrip()
    return found[0] if len(found) == 1 else found


def _normal(text: str) -> str:
    for pattern, word in _REPLACED:
        text = pattern.sub(word, text)
    return text


def _is_volatile(at: str, value: object) -> bool:
    names = {part.removesuffix("[]") for part in at.split(".")[1:]}
    last = at.rpartition(".")[2]
    return bool(names & _VOLATILE) or f"{last}.{type(value).__name__}" in _VOLATILE


def _pattern(place: str) -> str:
    """As `fnmatch` takes it: there a bracket is the beginning of a set."""
    return place.replace("[", "[[]")


def matches(place: str, pattern: str) -> bool:
    """Whether a place is meant by a pattern."""
    return fnmatchcase(place, _pattern(pattern))


def _order(value: Any) -> str:
    """What makes lists of both sides have one order, besides ids: a name, if there is one."""
    if isinstance(value, dict):
        value = value.get("Names") or value.get("Name") or value
    return _normal(value if isinstance(value, str) else json.dumps(value, sort_keys=True))


def _json(value: Any) -> str:
    return _normal(json.dumps(value))


def _unlike(left: str, right: str) -> tuple[str, str]:
    """The lines of each that the other lacks."""
    a, b = left.splitlines(), right.splitlines()
    if len(a) <= 1 and len(b) <= 1:
        return left, right
    diff = list(difflib.ndiff(a, b))
    sides = ["\n".join(line[2:] for line in diff if line[0] == sign) for sign in "-+"]
    return sides[0], sides[1]
