"""The documents name what exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "boxship"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (document.parent / target).exists()] == []


def test_code_map_is_complete() -> None:
    named = set(re.findall(r"`src/boxship/([a-z_]+)/`", (ROOT / "ARCHITECTURE.md").read_text()))
    existing = {child.name for child in PACKAGE.iterdir() if (child / "__init__.py").exists()}
    assert named == existing


def test_architecture_stays_a_map() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 300
