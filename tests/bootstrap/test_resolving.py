"""Which packages are taken."""

import pytest

from boxship.bootstrap.archive import Offer, parse_packages, relations
from boxship.bootstrap.errors import (
    MalformedPackageError,
    NotOnMirrorError,
    UnknownDistributionError,
)
from boxship.bootstrap.resolving import Selection, select


def offer(*paragraphs: str) -> Offer:
    text = "\n\n".join(
        f"Version: 1\nArchitecture: all\nFilename: x\nSHA256: 0\nSize: 1\n{paragraph}"
        for paragraph in paragraphs
    )
    return Offer.of(parse_packages(text, "http://mirror"))


def names(selection: Selection) -> list[str]:
    return [package.name for package in selection.all]


def test_what_is_needed_and_nothing_else() -> None:
    mirror = offer(
        "Package: sh\nEssential: yes\nPre-Depends: libc (>= 2)\nDepends: zzz",
        "Package: libc",
        "Package: zzz",
        "Package: required\nPriority: required",
        "Package: apt\nPriority: important\nDepends: keys",
        "Package: keys",
        "Package: game",
    )
    assert names(select(mirror, "essential", ())) == ["libc", "sh", "zzz"]
    assert names(select(mirror, "apt", ())) == ["apt", "keys", "libc", "sh", "zzz"]
    assert names(select(mirror, "minbase", ())) == [
        "apt", "keys", "libc", "required", "sh", "zzz",
    ]  # fmt: skip


def test_first_alternative_that_is_there_or_exists() -> None:
    mirror = offer(
        "Package: a\nEssential: yes\nDepends: none | awk, mail",
        "Package: mawk\nProvides: awk (= 1)",
        "Package: b\nEssential: yes\nDepends: editor | mawk",  # mawk is there for a
        "Package: editor",
        "Package: exim\nProvides: mail",
    )
    assert names(select(mirror, "essential", ())) == ["a", "b", "exim", "mawk"]


def test_the_most_important_provider() -> None:
    """As apt takes mawk for awk, and not gawk, which the alphabet would."""
    mirror = offer(
        "Package: base\nEssential: yes\nPre-Depends: awk",
        "Package: gawk\nProvides: awk\nPriority: optional",
        "Package: mawk\nProvides: awk\nPriority: required",
    )
    assert names(select(mirror, "essential", ())) == ["mawk", "base"]


def test_the_newest_version() -> None:
    text = "Package: {}\nVersion: {}\nArchitecture: all\nFilename: x\nSHA256: 0\nSize: 1"
    versions = [text.format("a", one) for one in ("1.9-1", "1.10-1", "1.10~rc1-1")]
    newest = Offer.of(parse_packages("\n\n".join(versions), "http://mirror"))
    assert newest.packages["a"].version == "1.10-1"


def test_included_packages_come_after_the_base() -> None:
    mirror = offer(
        "Package: sh\nEssential: yes",
        "Package: python3\nDepends: libpython, sh:any, python3-minimal",
        "Package: python3-minimal",
        "Package: libpython\nPre-Depends: python3-minimal",
    )
    chosen = select(mirror, "essential", ("python3",))
    assert [package.name for package in chosen.base] == ["sh"]
    assert [package.name for package in chosen.extra] == [
        "python3-minimal", "libpython", "python3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("variant", "include", "error", "words"),
    [
        ("tiny", (), UnknownDistributionError, "'tiny': use one of essential, apt"),
        ("essential", ("nope",), NotOnMirrorError, "no package 'nope'"),
        ("minbase", (), NotOnMirrorError, "broken depends on gone | lost"),
    ],
)
def test_errors_name_what_is_wrong(
    variant: str, include: tuple[str, ...], error: type[Exception], words: str
) -> None:
    mirror = offer(
        "Package: sh\nEssential: yes", "Package: broken\nPriority: required\nDepends: gone | lost"
    )
    with pytest.raises(error, match=words.replace("|", r"\|")):
        select(mirror, variant, include)


def test_relations_without_versions_architectures_and_profiles() -> None:
    text = "libc6 (>= 2.36), a:any | b [amd64] <!nocheck>,\n c(= 1)"
    assert relations(text) == (("libc6",), ("a", "b"), ("c",))
    assert relations("") == ()


def test_a_broken_index_names_the_package() -> None:
    with pytest.raises(MalformedPackageError, match="package odd: 'version'"):
        list(parse_packages("Package: odd\nArchitecture: all", "http://mirror"))
