"""Debian's packages as trees: single files out of one package, or a whole minimal system.

Uses the apt sources and proxy of this machine.
"""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from support.images.archive import EPOCH

SUITE = "bookworm"

# What Debian's own slim images leave out.
_SLIM = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/lintian/*",
)


def package_file(package: str, path: str) -> bytes:
    """The content of one file of the package's newest version."""
    with tempfile.TemporaryDirectory() as scratch:
        # Without this, apt drops to its user _apt, which may not write here, and warns.
        command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package]
        if subprocess.run(command, cwd=scratch, check=False).returncode:
            # The lists of a machine that lacks no package may be absent or old.
            subprocess.run(["apt-get", "update", "-qq"], check=True)
            subprocess.run(command, cwd=scratch, check=True)
        (deb,) = Path(scratch).glob("*.deb")
        unpack = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
        one = subprocess.run(
            ["tar", "-xO", f".{path}"], stdin=unpack.stdout, stdout=subprocess.PIPE, check=True
        )
        unpack.communicate()
    return one.stdout


def system(destination: Path, *, include: Sequence[str] = ()) -> None:
    """Write the tar of a minimal system, with the packages of `include` on top."""
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=tar"]
    command += [f"--dpkgopt={option}" for option in _SLIM]
    command += [f"--include={package}" for package in include]
    command += [f'--aptopt=Acquire::http::Proxy "{proxy}"' for proxy in _proxy()]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(EPOCH)}
    subprocess.run(
        [*command, SUITE, str(destination), *_sources()],
        check=True,
        env=environment,
        stdin=subprocess.DEVNULL,
    )


def _sources() -> list[str]:
    """This machine's apt sources for the suite; if none, mmdebstrap takes Debian's mirror."""
    listing = [
        "apt-get",
        "indextargets",
        "--format",
        "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)",
    ]
    answer = subprocess.run(
        [*listing, "Created-By: Packages"], stdout=subprocess.PIPE, text=True, check=True
    )
    rows = [line.split("|") for line in answer.stdout.splitlines()]
    lines = [
        f"deb {uri} {release} {component}"
        for origin, uri, release, component in rows
        if origin == "Debian" and release.startswith(SUITE) and component == "main"
    ]
    return list(dict.fromkeys(lines))


def _proxy() -> list[str]:
    command = ["apt-config", "shell", "proxy", "Acquire::http::Proxy"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    value = answer.stdout.strip().removeprefix("proxy='").removesuffix("'")
    return [value] if value else []
