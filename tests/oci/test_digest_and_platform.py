"""Digests and platforms: parsing, and what runs where."""

import hashlib

import pytest

from boxship.oci.digest import Digest, DigestError
from boxship.oci.platform import Platform, PlatformError, parse, platform


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_digest_of_bytes_can_be_written_and_read(algorithm: str) -> None:
    digest = Digest.of(b"boxship", algorithm)
    assert digest.hex == hashlib.new(algorithm, b"boxship").hexdigest()
    assert Digest.parse(str(digest)) == digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sha256", "invalid checksum digest format"),
        ("sha256:", "invalid checksum digest format"),
        ("sha256:" + "A" * 64, "invalid checksum digest format"),
        ("sha256:" + "a" * 63, "invalid checksum digest length"),
        ("md5:" + "a" * 32, "unsupported digest algorithm"),
        ("sha256:" + "a" * 64 + "\n", "invalid checksum digest format"),
    ],
)
def test_digest_refusals(text: str, message: str) -> None:
    with pytest.raises(DigestError, match=message):
        Digest.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("Linux/AArch64", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("linux/armhf", "linux/arm/v7"),
        ("macos/arm64", "darwin/arm64"),
        ("linux", "linux/arm64"),
        ("i686", "linux/386"),
        ("riscv64", "linux/riscv64"),
    ],
)
def test_platforms_are_normalised(text: str, expected: str) -> None:
    assert str(parse(text, Platform("linux", "arm64"))) == expected


@pytest.mark.parametrize("text", ["", "a/b/c/d", "linux/", "nonsense", "linux/amd 64"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(PlatformError):
        parse(text)


@pytest.mark.parametrize(
    ("wanted", "got", "fits"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/arm", "linux/arm/v7", True),
        ("linux/arm64", "linux/arm/v7", False),
        ("linux/arm/v7", "linux/arm/v6", False),
        ("linux/amd64", "linux/amd64/v3", True),
        ("linux/amd64/v3", "linux/amd64", False),
        ("windows/amd64", "linux/amd64", False),
    ],
)
def test_what_fits_a_wish(wanted: str, got: str, fits: bool) -> None:
    assert platform(*wanted.split("/")).asks_for(platform(*got.split("/"))) is fits


def test_an_image_that_names_no_architecture_fits_any_wish() -> None:
    assert Platform("linux", "arm64").asks_for(Platform("linux", ""))
    assert not Platform("windows", "amd64").asks_for(Platform("linux", ""))


@pytest.mark.parametrize(
    ("machine", "program", "runs"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/arm64", False),
        ("linux/amd64", "windows/amd64", False),
        ("linux/arm/v7", "linux/arm/v6", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/arm64", "linux/arm/v7", True),
        ("linux/arm64", "darwin/arm/v7", False),
        ("linux/amd64/v3", "linux/amd64", True),
        ("linux/amd64", "linux/amd64/v3", False),
    ],
)
def test_what_runs_where(machine: str, program: str, runs: bool) -> None:
    assert platform(*machine.split("/")).runs(platform(*program.split("/"))) is runs
