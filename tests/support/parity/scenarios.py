"""What is to be run: scenarios of steps, from `tests/parity/scenarios/*.toml`.

::

    [[scenario]]
    name = "stopping"
    steps = [
        "docker run -d --name c1 busybox sleep 1000",
        "docker stop -t 0 c1",
        'POST /containers/create?name=c2 {"Image": "busybox"}',
        { run = "GET /containers/json?all=1", unordered = true },
        "sh docker export c1 | tar t | head -3",
    ]

A step is a command line of the client, a request of the API (method, path, JSON), or, behind `sh`,
a shell script. All steps of a scenario have one directory of their own to work in. As a table a
step may have more to it: the fields of `Step`.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec

DIRECTORY = Path(__file__).parents[2] / "parity" / "scenarios"
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
VERSION = "1.45"
"""Of the API: Docker's daemon of Debian 13 speaks none newer, and the client is told so, or it
would ask ours for more."""


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that is done, and how its outcome is compared."""

    run: str
    """``docker …``, ``METHOD /path {json}`` or ``sh …``. ``${name}`` is what was saved before, or
    of the surroundings: ``registry`` (host:port), ``private`` (one for ``me`` with the password
    ``secret``), ``machine`` (the daemon's host's address) and ``home`` (its directory)."""
    stdin: str = ""
    save: str = ""
    """Keep the field ``Id`` (else ``ID``) of a JSON answer, or the text, under this name."""
    until: str = ""
    """Do it again until this regular expression is found in its output."""
    background: str = ""
    """Start it and go on; the step ``join NAME`` waits for its end and is what is compared."""
    version: str = VERSION
    """Of the API."""
    body: str = ""
    """A file of the scenario's directory, to be a request's body as it is."""
    unordered: bool = False
    """Lines, or elements of JSON arrays, may come in any order."""
    shape: bool = False
    """Of JSON only keys and types are compared."""
    only: tuple[str, ...] = ()
    """Nothing but these places is compared."""
    ignore: tuple[str, ...] = ()
    """These places are not (``out``, ``body[].Size``; with ``*``)."""
    replace: tuple[tuple[str, str], ...] = ()
    """Regular expressions and what stands in their place, on both sides, before comparing."""

    @property
    def is_request(self) -> bool:
        return self.run.partition(" ")[0] in METHODS

    @property
    def is_compared(self) -> bool:
        """A step that is only started is compared where it is joined."""
        return not self.background


@dataclass(frozen=True)
class Scenario:
    """Steps that are run in order, on a daemon that has only the image busybox."""

    group: str
    name: str
    steps: tuple[Step, ...]

    @property
    def id(self) -> str:
        return f"{self.group}/{self.name}"


def load(directory: Path = DIRECTORY) -> list[Scenario]:
    """Read all of them, in the order of files and in these."""
    return [scenario for path in sorted(directory.glob("*.toml")) for scenario in read(path)]


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    steps: list[Step | str]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scenario: list[_Row]


def read(path: Path) -> list[Scenario]:
    """Read one file; raise ValueError with its name and what is wrong."""
    try:
        rows = msgspec.convert(tomllib.loads(path.read_text()), _File).scenario
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    names = [row.name for row in rows]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{path.name}: more than one scenario is named {', '.join(sorted(twice))}")
    return [Scenario(path.stem, row.name, tuple(map(_step, row.steps))) for row in rows]


def _step(row: Step | str) -> Step:
    step = Step(row) if isinstance(row, str) else row
    word = step.run.partition(" ")[0]
    if word not in (*METHODS, "docker", "sh", "join"):
        raise ValueError(f"a step begins with docker, sh, join or a method, not {word!r}")
    return step
