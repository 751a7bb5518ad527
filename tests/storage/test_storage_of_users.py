"""A store that an ordinary user has opened in a user namespace of his own."""

import os
import shutil
import stat
import struct
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from boxship.model.check import CheckSummary
from boxship.oci.digest import Digest
from boxship.runtime.kernel import LINUX
from boxship.runtime.mounts import mount_overlay_on
from boxship.runtime.steps import MountOverlay
from boxship.storage.check.store import Needed, StoreCheck
from boxship.storage.drivers import DRIVERS
from boxship.storage.layers import MalformedLayerError
from boxship.storage.snapshots import DirectoryMount
from boxship.storage.storage import Storage
from support.strangers import FIRST, in_user_namespace
from support.tars import Member, directory, hard_link, tar

pytestmark = pytest.mark.privileged

# CAP_NET_BIND_SERVICE, permitted and effective, revision 2.
CAPABILITY = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
CAPS = {
    "SCHILY.xattr.security.capability": CAPABILITY.decode("latin-1"),
    "SCHILY.xattr.trusted.mine": "x",
    "SCHILY.xattr.user.mine": "y",
}
LAYERS = [
    tar(
        directory("etc", mode=0o1777, uid=10, gid=20), Member("etc/a", b"low", uid=1000),
        directory("opt"), Member("opt/low", b"low"), directory("gone"), Member("gone/x", b"1"),
        Member("null", type=b"3", device=(1, 3)), hard_link("same", "null"),
        Member("pipe", type=b"6"), Member("suid", b"#!", mode=0o4755, uid=33, pax=CAPS),
    ),
    tar(
        directory("etc", uid=10), Member("etc/.wh.a"), Member("etc/b", b"high"), Member(".wh.gone"),
        directory("opt"), Member("opt/.wh..wh..opq"), Member("opt/high", b"high"),
    ),
]  # fmt: skip


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that the user owns and can get to."""
    found = Path(tempfile.mkdtemp(prefix="boxship-user-", dir="/tmp"))
    os.chown(found, FIRST, FIRST)
    yield found
    shutil.rmtree(found)


def fill(root: str, driver: str) -> tuple[Storage, list[Digest]]:
    storage = Storage.open(root, driver)
    with storage.layers.lease() as lease:
        digests = [storage.layers.unpack([data], lease).digest for data in LAYERS]
    assert [b"".join(storage.layers.tar(digest)) for digest in digests] == LAYERS
    return storage, digests


def use(root: str, driver: str) -> dict[str, object]:
    """Unpack, mount, look, change, take the difference, check."""
    storage, digests = fill(root, driver)
    storage.snapshots.prepare("box", digests)
    mount = storage.snapshots.mount("box")
    place = f"{root}/m"
    os.mkdir(place)
    if isinstance(mount, DirectoryMount):
        seen = mount.path
    else:
        with chdir(mount.cwd):
            mount_overlay_on(
                LINUX,
                MountOverlay(mount.cwd, mount.lower, mount.upper, mount.work, place, mount.options),
                place,
            )
        seen = place
    told: dict[str, object] = {
        "names": sorted(set(os.listdir(seen)) & {"etc", "gone", "null", "opt", "pipe", "suid"}),
        "etc": sorted(set(os.listdir(f"{seen}/etc")) & {"a", "b"}),
        "opt": os.listdir(f"{seen}/opt"),
        "owner": os.stat(f"{seen}/etc").st_uid,
        "mode": stat.S_IMODE(os.stat(f"{seen}/suid").st_mode),
        "capability": os.getxattr(f"{seen}/suid", "security.capability"),
        "user": os.getxattr(f"{seen}/suid", "user.mine"),
    }
    os.unlink(f"{seen}/etc/b")
    shutil.rmtree(f"{seen}/opt")
    os.mkdir(f"{seen}/opt")
    Path(seen, "opt/new").write_text("new")
    with storage.snapshots.difference("box") as upper:
        whiteout = os.stat(f"{upper}/etc/b")
        told["whiteout"] = stat.S_ISCHR(whiteout.st_mode) and not whiteout.st_rdev
        told["new"] = Path(upper, "opt/new").read_text()
    needed = Needed(frozenset(digests), snapshots=frozenset({"box"}))
    told["check"] = list(StoreCheck(storage, needed, repair=False).run())[-1]
    storage.disposal.settle()
    return told


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_store_of_ones_own(place: Path, driver: str) -> None:
    told = in_user_namespace(lambda: use(str(place / "root"), driver))
    assert told == {
        "names": ["etc", "opt", "pipe", "suid"],
        "etc": ["b"], "opt": ["high"], "owner": 10, "mode": 0o4755,
        "capability": CAPABILITY, "user": b"y", "whiteout": True, "new": "new",
        "check": CheckSummary(layers=2, snapshots=1),
    }  # fmt: skip
    assert (place / "root/l").stat().st_uid == FIRST


def test_the_driver_is_found_there(place: Path) -> None:
    name = in_user_namespace(lambda: Storage.open(str(place / "root")).snapshots.name)
    assert name == "overlay2"


def test_an_owner_that_is_not_there_is_named(place: Path) -> None:
    def refused() -> str:
        storage = Storage.open(str(place / "root"))
        try:
            with storage.layers.lease() as lease:
                storage.layers.unpack([tar(Member("x", b"", uid=100_000))], lease)
        except MalformedLayerError as error:
            return f"{error} {os.listdir(storage.root.join('tmp'))}"
        return ""

    told = in_user_namespace(refused)
    assert told == (
        "invalid layer archive: Invalid argument: unpacking 'x' "
        "(is its owner 100000:0 in this user namespace?) []"
    )
