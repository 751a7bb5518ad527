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


def test_attacks_are_tests() -> None:
    text = (ROOT / "docs/dev/attacks.md").read_text()
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", text))
    existing = {
        (path.name, name)
        for tests in (
            *("runtime", "net_firewall", "engine_containers", "engine_build"),
            *("api", "wire", "e2e", "engine_access", "cli"),
        )
        for path in (ROOT / "tests" / tests).glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert named - existing == set()
    attacks = {
        test for test in existing if test[0].startswith(("test_attacks_mounts", "test_attacks_on"))
    }
    assert attacks - named <= {
        ("test_attacks_mounts.py", "test_what_lxcfs_provides_may_be_shown"),
        ("test_attacks_mounts.py", "test_a_sysctl_is_the_kernels_when_nobody_interferes"),
        ("test_attacks_mounts.py", "test_the_kernel_confines_what_is_opened"),
    }


def test_every_decision_has_a_number_of_its_own() -> None:
    names = sorted(path.name for path in (ROOT / "docs/adr").glob("*.md"))
    numbers = [name.partition("-")[0] for name in names]
    assert numbers == sorted(set(numbers)), names
    for name, number in zip(names, numbers, strict=True):
        title = (ROOT / "docs/adr" / name).read_text().split("\n", 1)[0]
        assert title.startswith(f"# {int(number)}. "), name
