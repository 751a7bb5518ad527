"""The documentation as a site: it can be made, no link is broken, and every page is in its menu."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from support import documents

DOCS = documents.ROOT / "docs"


def test_the_site_is_made(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)],
        cwd=documents.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "first-steps/index.html").exists()


def test_every_page_is_in_the_menu() -> None:
    menu = yaml.safe_load((documents.ROOT / "mkdocs.yml").read_text())["nav"]
    pages = {
        page.relative_to(DOCS).as_posix() for page in documents.pages() if DOCS in page.parents
    }
    assert pages - set(entries(menu)) == set()


def entries(menu: Any) -> Iterator[str]:
    if isinstance(menu, str):
        yield menu
        return
    for entry in menu if isinstance(menu, list) else menu.values():
        yield from entries(entry)
