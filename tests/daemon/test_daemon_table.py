"""The page of the daemon's options says what the table says."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_page_is_as_the_script_writes_it() -> None:
    loader = SourceFileLoader("daemon_table", str(ROOT / "scripts/daemon-table"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    table = module_from_spec(spec)
    loader.exec_module(table)
    written = (ROOT / "docs/reference/daemon-options.md").read_text()
    assert table.page() == written, "run scripts/daemon-table"
