"""The distributions that can be bootstrapped, as a table, and what is asked of one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from boxship.bootstrap.errors import UnknownDistributionError
from boxship.oci.platform import Platform

SNAPSHOTS = "http://snapshot.debian.org/archive"

# Debian's name of an architecture by the platform that images are labelled with.
ARCHITECTURES: Mapping[str, str] = {
    "linux/amd64": "amd64",
    "linux/arm64": "arm64",
    "linux/arm/v7": "armhf",
    "linux/arm/v5": "armel",
    "linux/386": "i386",
    "linux/ppc64le": "ppc64el",
    "linux/riscv64": "riscv64",
    "linux/s390x": "s390x",
}
_PORTS = frozenset({"arm64", "armhf", "ppc64el", "riscv64", "s390x"})


@dataclass(frozen=True, slots=True)
class Source:
    """One line of apt's sources: a suite of a mirror."""

    uri: str
    suite: str
    components: tuple[str, ...]

    @property
    def line(self) -> str:
        return f"deb {self.uri} {self.suite} {' '.join(self.components)}"


@dataclass(frozen=True, slots=True)
class Distribution:
    """Where a distribution keeps its packages and who signs them."""

    name: str
    mirror: str
    security_mirror: str
    components: tuple[str, ...]
    keyring: str
    """Where its own package puts the keyring; the same keys come with Boxship."""
    rolling: frozenset[str] = frozenset()
    """Suites without updates and security of their own."""
    ports_mirror: str = ""
    """Where Ubuntu keeps all architectures but PCs'."""


DISTRIBUTIONS: Mapping[str, Distribution] = {
    "debian": Distribution(
        "debian",
        "http://deb.debian.org/debian",
        "http://deb.debian.org/debian-security",
        ("main",),
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        rolling=frozenset({"sid", "unstable", "experimental"}),
    ),
    "ubuntu": Distribution(
        "ubuntu",
        "http://archive.ubuntu.com/ubuntu",
        "http://security.ubuntu.com/ubuntu",
        ("main", "universe"),
        "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
        ports_mirror="http://ports.ubuntu.com/ubuntu-ports",
    ),
}


@dataclass(frozen=True, slots=True)
class Target:
    """What to bootstrap: ``debian:bookworm`` for an architecture, from where."""

    distribution: Distribution
    suite: str
    architecture: str
    sources: tuple[Source, ...]
    snapshot: bool = False
    """The past is wanted: a release may be out of date."""


def parse_target(text: str, platform: Platform, *, mirror: str = "", snapshot: str = "") -> Target:
    """Read ``NAME:SUITE``. With ``mirror`` it is the only source; ``snapshot`` is a time stamp.

    Raise UnknownDistributionError naming what there is.
    """
    name, colon, suite = text.partition(":")
    distribution = DISTRIBUTIONS.get(name)
    if distribution is None or not colon or not suite or "/" in suite or suite.startswith("."):
        known = ", ".join(f"{name}:SUITE" for name in DISTRIBUTIONS)
        raise UnknownDistributionError(f"cannot bootstrap {text!r}: use one of {known}")
    architecture = ARCHITECTURES.get(str(platform))
    if architecture is None:
        known = ", ".join(ARCHITECTURES)
        raise UnknownDistributionError(f"no packages for {platform}: use one of {known}")
    sources = _sources(distribution, suite, architecture, mirror, snapshot)
    return Target(distribution, suite, architecture, sources, snapshot=bool(snapshot))


def _sources(
    distribution: Distribution, suite: str, architecture: str, mirror: str, snapshot: str
) -> tuple[Source, ...]:
    components = distribution.components
    if mirror:
        return (Source(mirror.rstrip("/"), suite, components),)
    main, security = distribution.mirror, distribution.security_mirror
    if snapshot:
        if distribution.name != "debian":
            raise UnknownDistributionError(f"there are no snapshots of {distribution.name}")
        if not re.fullmatch(r"\d{8}T\d{6}Z", snapshot):
            raise UnknownDistributionError(
                f"{snapshot!r} is no time of a snapshot: give one such as 20250520T000000Z"
            )
        main, security = (
            f"{SNAPSHOTS}/{part}/{snapshot}" for part in ("debian", "debian-security")
        )
    elif distribution.ports_mirror and architecture in _PORTS:
        main = security = distribution.ports_mirror
    if suite in distribution.rolling:
        return (Source(main, suite, components),)
    return (
        Source(main, suite, components),
        Source(main, f"{suite}-updates", components),
        Source(security, f"{suite}-security", components),
    )
