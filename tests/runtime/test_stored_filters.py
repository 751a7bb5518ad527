"""Compiled filters on disk: found again, and believed only where root alone can have put them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.runtime.defaults import CAPABILITIES
from boxship.runtime.owned import make_owned
from boxship.runtime.seccomp.compiler import compile_filter
from boxship.runtime.seccomp.profile import default_profile
from boxship.runtime.seccomp.stored import compiled_filter

pytestmark = pytest.mark.privileged

PROFILE = default_profile(CAPABILITIES, "x86_64", (6, 1))
WANTED = compile_filter(PROFILE, "x86_64")


@pytest.fixture
def directory() -> Iterator[Path]:
    """A place as /run is: nobody but root writes on the way to it."""
    base = Path(tempfile.mkdtemp(prefix="boxship-test-", dir="/run"))
    base.chmod(0o755)
    yield base / "kept/filters"
    shutil.rmtree(base)


def test_a_filter_is_compiled_once(directory: Path) -> None:
    assert compiled_filter(PROFILE, "x86_64", str(directory)) == WANTED
    (file,) = directory.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    # Proof that it is read: another program, with its hash, is taken for the one compiled.
    other = replace(PROFILE, default_action="SCMP_ACT_KILL")
    compiled_filter(other, "x86_64", str(directory))
    (second,) = set(directory.iterdir()) - {file}
    file.write_bytes(second.read_bytes())
    found = compiled_filter(PROFILE, "x86_64", str(directory))
    assert found == compile_filter(other, "x86_64") != WANTED


def test_a_damaged_file_is_compiled_again(directory: Path) -> None:
    compiled_filter(PROFILE, "x86_64", str(directory))
    (file,) = directory.iterdir()
    whole = file.read_bytes()
    for damaged in (b"", whole[:40], whole[:-8], whole[:-1] + bytes([whole[-1] ^ 1])):
        file.write_bytes(damaged)
        assert compiled_filter(PROFILE, "x86_64", str(directory)) == WANTED
        assert file.read_bytes() == whole


@pytest.mark.parametrize("how", ["writable", "another's"])
def test_what_others_can_write_is_not_believed(directory: Path, how: str) -> None:
    compiled_filter(PROFILE, "x86_64", str(directory))
    (file,) = directory.iterdir()
    file.write_bytes(b"x" * 100)
    if how == "writable":
        directory.parent.chmod(0o777)
    else:
        os.chown(directory, 1000, 1000)
    assert compiled_filter(PROFILE, "x86_64", str(directory)) == WANTED
    assert file.read_bytes() == b"x" * 100


def test_owned_directories_have_their_mode_whatever_the_umask(directory: Path) -> None:
    before = os.umask(0)
    try:
        assert make_owned(str(directory))
    finally:
        os.umask(before)
    assert directory.parent.stat().st_mode & 0o777 == 0o755
    assert not make_owned("/tmp/boxship-test-owned/below")
    Path("/tmp/boxship-test-owned/below").rmdir()
    Path("/tmp/boxship-test-owned").rmdir()
