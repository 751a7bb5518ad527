"""What the start of each program may load. A module is a promise to everybody who starts it."""

import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"


def modules_after(statement: str, *flags: str) -> set[str]:
    """The names in `sys.modules` of a new interpreter after `statement`."""
    program = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r}); {statement}; print(*sorted(sys.modules))"
    )
    answer = subprocess.run(
        [sys.executable, *flags, "-c", program], stdout=subprocess.PIPE, check=True, text=True
    )
    return set(answer.stdout.split())


def test_client_starts_light() -> None:
    loaded = modules_after("import boxship.cli.main")
    heavy = {
        "asyncio",
        "aiohttp",
        "uvloop",
        "rich",
        "ssl",
        "sqlite3",
        "zstandard",
        "multiprocessing",
    }
    assert loaded & heavy == set()
    engine_side = {name for name in loaded if name.startswith(("boxship.engine", "boxship.daemon"))}
    assert engine_side == set()
    # An empty interpreter has some 80; `boxship ps` is to answer within 120 ms.
    bare = modules_after("pass")
    assert len(loaded - bare) <= 150


def test_launcher_runs_on_a_bare_interpreter() -> None:
    loaded = modules_after("import boxship.runtime.launcher", "-I", "-S")
    foreign = {
        name
        for name in (one.partition(".")[0] for one in loaded)
        if name not in sys.stdlib_module_names and name not in ("boxship", "__main__")
    }
    assert foreign == set()
    assert {name for name in loaded if name.startswith("boxship.runtime.foreign")} == set()
    # Each of these would be in the memory of every shim.
    assert (
        loaded & {"asyncio", "threading", "logging", "subprocess", "ssl", "typing_extensions"}
        == set()
    )


def test_running_a_container_loads_nothing_heavy() -> None:
    """Loading is most of what `boxship-runtime run` takes; each of these takes 1 to 5 ms."""
    verbs = ("run", "create", "start", "state", "kill", "delete")
    modules = ["main", "cli.catalog", "cli.call", *(f"cli.verbs.{verb}" for verb in verbs)]
    imports = "; ".join(f"import boxship.runtime.{name}" for name in modules)
    loaded = modules_after(imports, "-I", "-S")
    assert "boxship.runtime.process" in loaded
    heavy = {"argparse", "collections", "contextlib", "dataclasses", "enum", "functools",
             "inspect", "json", "pathlib", "re", "selectors", "signal", "socket",
             "subprocess", "typing"}  # fmt: skip
    assert loaded & heavy == set()
    # A rule of thumb: 0.1 ms apiece.
    assert len(loaded - modules_after("pass", "-I", "-S")) <= 100
