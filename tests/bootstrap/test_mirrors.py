"""Reading a mirror: what is believed, and what is refused before anything is downloaded."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.base.errors import BoxshipError
from boxship.bootstrap.archive import Offer, read_offer
from boxship.bootstrap.distributions import parse_target
from boxship.bootstrap.errors import (
    BadSignatureError,
    DamagedDownloadError,
    MalformedPackageError,
    MirrorUnreachableError,
    NotOnMirrorError,
    UnknownDistributionError,
)
from boxship.bootstrap.mirror import Download, Mirrors
from boxship.oci.platform import Platform, parse
from support.mirror import Mirror, Signer, mirror

AMD64 = Platform("linux", "amd64")
PACKAGES = {"sh": "Essential: yes\nDepends: libc", "libc": "Provides: libc-virtual"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    with mirror(tmp_path_factory.mktemp("mirror")) as one:
        yield one


@pytest.fixture
def mirrors() -> Iterator[Mirrors]:
    connections = Mirrors({})
    yield connections
    connections.close()


def read(served: Mirror, mirrors: Mirrors, suite: str, keyring: Path | None = None) -> Offer:
    target = parse_target(f"debian:{suite}", AMD64, mirror=f"{served.url}/")
    return read_offer(target, mirrors, str(keyring or served.keyring))


def test_a_signed_suite(served: Mirror, mirrors: Mirrors, tmp_path: Path) -> None:
    served.publish("good", PACKAGES)
    offer = read(served, mirrors, "good")
    assert sorted(offer.packages) == ["libc", "sh"]
    assert offer.providers == {"libc-virtual": ("libc",)}
    found = offer.packages["sh"]
    path = tmp_path / "sh.deb"
    download = Download(found.url, found.sha256, found.size, str(path))
    assert list(mirrors.fetch_all([download])) == [200]
    assert path.read_bytes() == b"sh" * 100


def test_a_suite_that_is_not_there(served: Mirror, mirrors: Mirrors) -> None:
    with pytest.raises(NotOnMirrorError, match="has no suite 'nope'"):
        read(served, mirrors, "nope")


def test_a_key_that_is_not_trusted(served: Mirror, mirrors: Mirrors, tmp_path: Path) -> None:
    served.publish("good", PACKAGES)
    stranger = Signer(tmp_path / "stranger", "stranger")
    try:
        keyring = stranger.export(tmp_path / "stranger.gpg")
    finally:
        stranger.close()
    with pytest.raises(BadSignatureError, match=r"InRelease is not signed by a key of .*stranger"):
        read(served, mirrors, "good", keyring)
    with pytest.raises(BadSignatureError, match="debian"):  # those that come with Boxship
        read_offer(parse_target("debian:good", AMD64, mirror=served.url), mirrors)


def test_keys_that_are_not_there(served: Mirror, mirrors: Mirrors, tmp_path: Path) -> None:
    served.publish("good", PACKAGES)
    target = parse_target("debian:good", AMD64, mirror=served.url)
    with pytest.raises(BadSignatureError, match=r"cannot read the keys of .*none: no such file"):
        read_offer(target, mirrors, str(tmp_path / "none"))


def test_a_changed_release(served: Mirror, mirrors: Mirrors) -> None:
    served.publish("changed", PACKAGES)
    release = served.root / "dists/changed/InRelease"
    release.write_bytes(release.read_bytes().replace(b"Suite: changed", b"Suite: Changed"))
    with pytest.raises(BadSignatureError, match="BAD signature"):
        read(served, mirrors, "changed")


def test_text_before_the_signed_part_is_not_believed(served: Mirror, mirrors: Mirrors) -> None:
    served.publish("before", PACKAGES)
    release = served.root / "dists/before/InRelease"
    release.write_bytes(b"Suite: before\nSHA256:\n 00 1 main/x\n\n" + release.read_bytes())
    try:
        offer = read(served, mirrors, "before")
    except BoxshipError:
        return
    assert sorted(offer.packages) == ["libc", "sh"]  # of the signed part


def test_another_suite_in_its_place(served: Mirror, mirrors: Mirrors) -> None:
    served.publish("asked", PACKAGES, Suite="older", Codename="older")
    with pytest.raises(BadSignatureError, match=r"is the release of older \(older\)"):
        read(served, mirrors, "asked")


def test_a_release_out_of_date(served: Mirror, mirrors: Mirrors) -> None:
    served.publish("stale", PACKAGES, Valid_Until="Wed, 25 Nov 2020 22:17:41 UTC")
    with pytest.raises(BadSignatureError, match="was valid until 2020-11-25"):
        read(served, mirrors, "stale")


def test_a_release_without_a_readable_date(served: Mirror, mirrors: Mirrors) -> None:
    served.publish("dateless", PACKAGES, Valid_Until="tomorrow")
    with pytest.raises(MalformedPackageError, match="no date: 'tomorrow'"):
        read(served, mirrors, "dateless")


def test_an_index_that_was_not_signed(served: Mirror, mirrors: Mirrors) -> None:
    served.publish("swapped", PACKAGES)
    (served.root / "dists/swapped/main/binary-amd64/Packages.xz").write_bytes(b"evil")
    with pytest.raises(DamagedDownloadError, match=r"Packages\.xz is not the file"):
        read(served, mirrors, "swapped")


def test_no_packages_for_the_architecture(served: Mirror, mirrors: Mirrors) -> None:
    served.publish("good", PACKAGES)
    target = parse_target("debian:good", parse("linux/arm64"), mirror=served.url)
    with pytest.raises(NotOnMirrorError, match="no main of good for arm64"):
        read_offer(target, mirrors, str(served.keyring))


@pytest.mark.parametrize("content", [b"sh" * 99, b"sh" * 101, b"ss" * 100])
def test_a_package_that_is_not_the_announced_one(
    served: Mirror, mirrors: Mirrors, tmp_path: Path, content: bytes
) -> None:
    served.publish("good", PACKAGES)
    found = read(served, mirrors, "good").packages["sh"]
    (served.root / "pool/sh_1_all.deb").write_bytes(content)
    download = Download(found.url, found.sha256, found.size, str(tmp_path / "sh.deb"))
    with pytest.raises(DamagedDownloadError, match=r"sh_1_all\.deb is not the file"):
        list(mirrors.fetch_all([download]))


def test_nobody_there(mirrors: Mirrors) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        target = parse_target("debian:sid", AMD64, mirror=url)
        with pytest.raises(MirrorUnreachableError, match=r"cannot reach .*refused"):
            read_offer(target, mirrors)


def test_through_the_proxy_of_the_environment(served: Mirror) -> None:
    served.publish("good", PACKAGES)
    connections = Mirrors({"http_proxy": served.url, "no_proxy": "example.com"})
    try:
        with pytest.raises(NotOnMirrorError):  # our server is no proxy, but it was asked
            connections.document("http://mirror.example.org/x", largest=1)
    finally:
        connections.close()
    assert "http://mirror.example.org/x" in served.asked


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fedora:40", "use one of debian:SUITE, ubuntu:SUITE"),
        ("debian", "cannot bootstrap 'debian'"),
        ("debian:", "cannot bootstrap"),
        ("debian:../x", "cannot bootstrap"),
    ],
)
def test_no_such_distribution(text: str, words: str) -> None:
    with pytest.raises(UnknownDistributionError, match=words):
        parse_target(text, AMD64)


def test_where_packages_come_from() -> None:
    def lines(text: str, platform: Platform = AMD64, **options: str) -> list[str]:
        return [source.line for source in parse_target(text, platform, **options).sources]

    assert lines("debian:bookworm") == [
        "deb http://deb.debian.org/debian bookworm main",
        "deb http://deb.debian.org/debian bookworm-updates main",
        "deb http://deb.debian.org/debian-security bookworm-security main",
    ]
    assert lines("debian:sid") == ["deb http://deb.debian.org/debian sid main"]
    assert lines("ubuntu:noble")[2] == (
        "deb http://security.ubuntu.com/ubuntu noble-security main universe"
    )
    assert lines("ubuntu:noble", parse("linux/arm64"))[0] == (
        "deb http://ports.ubuntu.com/ubuntu-ports noble main universe"
    )
    assert lines("debian:trixie", mirror="http://m/debian/") == ["deb http://m/debian trixie main"]
    assert lines("debian:bookworm", snapshot="20250520T000000Z")[2] == (
        "deb http://snapshot.debian.org/archive/debian-security/20250520T000000Z "
        "bookworm-security main"
    )
    with pytest.raises(UnknownDistributionError, match="'2025' is no time of a snapshot: give"):
        lines("debian:bookworm", snapshot="2025")
    with pytest.raises(UnknownDistributionError, match="no snapshots of ubuntu"):
        lines("ubuntu:noble", snapshot="20250520T000000Z")


def test_the_keys_of_all_distributions_are_here() -> None:
    import boxship.bootstrap as package

    for name in ("debian", "ubuntu"):
        assert os.path.getsize(f"{os.path.dirname(package.__file__)}/keys/{name}.gpg") > 1000
