"""The page of the client's commands says what the table says."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_page_of_commands_is_as_the_script_writes_it() -> None:
    loader = SourceFileLoader("command_table", str(ROOT / "scripts/command-table"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    table = module_from_spec(spec)
    loader.exec_module(table)
    written = (ROOT / "docs/reference/commands.md").read_text()
    assert table.page() == written, "run scripts/command-table"
