"""What is counted and timed, and the text that Prometheus reads of it (exposition format 0.0.4).

Counting is on every way through the daemon, so a count is one look into a dictionary and one
addition; text is made when somebody asks. Not thread-safe: each instrument has one thread.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

DURATIONS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Upper bounds of buckets, in seconds: a step of a start takes a tenth of a millisecond, and a pull
minutes."""

_INFINITY = float("inf")
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: what the family's name has behind it, the values of its labels, a number."""

    values: Labels
    number: float
    suffix: str = ""
    bound: str = ""
    """Of a histogram's bucket: its ``le``."""


@dataclass(frozen=True, slots=True)
class Family:
    """All samples of one name; ``kind`` is ``counter``, ``gauge`` or ``histogram``."""

    name: str
    kind: str
    help: str
    labels: Labels = ()
    samples: tuple[Sample, ...] = ()


class Counter:
    """Numbers that only grow, one for each combination of the labels' values."""

    def __init__(self, name: str, help_text: str, labels: Labels = ()) -> None:
        self._name, self._help, self._labels = name, help_text, labels
        self._numbers: dict[Labels, float] = {} if labels else {(): 0}

    def add(self, *values: str, amount: float = 1) -> None:
        """Add to the one with these values, in the order of the labels."""
        self._numbers[values] = self._numbers.get(values, 0) + amount

    def family(self) -> Family:
        samples = tuple(Sample(values, number) for values, number in self._numbers.items())
        return Family(self._name, "counter", self._help, self._labels, samples)


class Histogram:
    """How long things took, in buckets, for each combination of the labels' values."""

    def __init__(
        self,
        name: str,
        help_text: str,
        labels: Labels = (),
        bounds: tuple[float, ...] = DURATIONS,
    ) -> None:
        self._name, self._help, self._labels, self._bounds = name, help_text, labels, bounds
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, seconds: float, *values: str) -> None:
        """Count one thing that took so long."""
        counts = self._counts.get(values)
        if counts is None:
            counts = self._counts[values] = [0] * (len(self._bounds) + 1)
            self._sums[values] = 0.0
        counts[bisect_left(self._bounds, seconds)] += 1
        self._sums[values] += seconds

    def family(self) -> Family:
        return Family(self._name, "histogram", self._help, self._labels, tuple(self._samples()))

    def _samples(self) -> Iterator[Sample]:
        for values, counts in self._counts.items():
            total = 0
            for bound, count in zip((*self._bounds, _INFINITY), counts, strict=True):
                total += count
                yield Sample(values, total, "_bucket", _number(bound))
            yield Sample(values, self._sums[values], "_sum")
            yield Sample(values, total, "_count")


def gauge(name: str, help_text: str, number: float) -> Family:
    """Return a family of one number without labels."""
    return Family(name, "gauge", help_text, (), (Sample((), number),))


def exposition(families: Iterable[Family]) -> str:
    """Return the text; families without samples are left out."""
    return "".join(line for family in families if family.samples for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help.translate(_HELP_ESCAPES)}\n"
    yield f"# TYPE {family.name} {family.kind}\n"
    for sample in family.samples:
        pairs = list(zip(family.labels, sample.values, strict=True))
        if sample.bound:
            pairs.append(("le", sample.bound))
        labels = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs)
        braces = f"{{{labels}}}" if labels else ""
        yield f"{family.name}{sample.suffix}{braces} {_number(sample.number)}\n"


def _number(number: float) -> str:
    if number == _INFINITY:
        return "+Inf"
    return str(int(number)) if number == int(number) else repr(number)
