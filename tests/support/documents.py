"""Commands of the documentation: what stands behind `$ ` in blocks called `console`.

::

    ```console
    $ boxship run --rm busybox echo hello
    hello
    $ boxship inspect nobody   # exit 1
    ```

A line that begins with `> ` goes on with the command above. Below a command stands what it prints,
if that matters: `…` stands for anything within a line, alone for any number of lines. A comment
`# exit N` names the exit code where it isn't 0. In blocks called `console machine` are commands
that change a whole machine; they are run where there is one to change (`tests/vm`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```([a-z ]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"#\s*exit (\d+)\s*$")
ENGINE, MACHINE = "console", "console machine"


@dataclass(frozen=True)
class Command:
    """One command: its text, what it is to print (nothing: anything), and its exit code."""

    text: str
    output: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        found = _EXIT.search(self.text)
        return int(found[1]) if found else 0


def pages() -> list[Path]:
    """Everything that a user reads: not what developers do."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")),
            *sorted((ROOT / "docs/reference").glob("*.md"))]  # fmt: skip


def kinds(page: Path) -> list[str]:
    """What the page's blocks are called, in order."""
    return [name for name, _ in _BLOCK.findall(page.read_text())]


def commands(page: Path, kind: str = ENGINE) -> list[Command]:
    """The page's commands of one kind, in order."""
    blocks = [body for name, body in _BLOCK.findall(page.read_text()) if name == kind]
    return [command for body in blocks for command in parsed(body)]


def parsed(block: str) -> Iterator[Command]:
    """The commands of one block."""
    text: list[str] = []
    output: list[str] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            if text:
                yield Command("\n".join(text), tuple(output))
            text, output = [line[2:]], []
        elif line.startswith("> ") or line == ">":
            text.append(line[2:])
        else:
            output.append(line)
    assert text, f"no command in {block!r}"
    yield Command("\n".join(text), tuple(output))


def fits(expected: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether a command printed what the page says."""
    if not expected:
        return True
    lines = (
        r"(?:.*\n)*" if line.strip() == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n"
        for line in expected
    )
    return re.fullmatch("".join(lines), "".join(f"{line}\n" for line in printed)) is not None
