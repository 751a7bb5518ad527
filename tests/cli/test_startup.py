"""What a command may import: every run pays for it, and the budget is milliseconds."""

import subprocess
import sys

import pytest

HEAVY = (
    "aiohttp",
    "argparse",
    "asyncio",
    "concurrent.futures",
    "email",
    "http.client",
    "msgspec",
    "multiprocessing",
    "rich",
    "ssl",
    "subprocess",
    "tempfile",
    "urllib.request",
    "zstandard",
)

PROBE = """
import sys
from boxship.cli.main import main
code = main(sys.argv[1:])
sys.stdout.flush()
print(*sorted(sys.modules), file=sys.stderr)
sys.exit(code)
"""


def imported(*arguments: str) -> tuple[int, set[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, set(done.stderr.splitlines()[-1].split())


def test_listing_containers_imports_nothing_heavy(recorder) -> None:
    recorder.answers["GET /containers/json"] = (200, "[]")
    code, modules = imported("-H", f"unix://{recorder.path}", "ps")
    assert code == 0
    assert modules.isdisjoint(HEAVY)
    assert "boxship.gotemplate.evaluator" not in modules


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("container",)])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    code, modules = imported(*arguments)
    assert code == 0
    assert modules.isdisjoint(HEAVY)


def test_help_reads_no_verbs_but_the_one_asked_for() -> None:
    _, modules = imported("--help")
    assert not any(name.startswith("boxship.cli.command.") for name in modules)


def test_starting_a_container_imports_nothing_heavy(recorder) -> None:
    code, modules = imported("-H", f"unix://{recorder.path}", "run", "-d", "bb", "true")
    assert code == 125  # the recorder refuses everything
    assert modules.isdisjoint(HEAVY)
