"""A system as a layer: the same bytes for the same packages."""

import io
import random
import tarfile
from pathlib import Path

from boxship.bootstrap.layer import write_layer

EPOCH = 1_700_000_000


def system(path: Path, shuffled: random.Random, now: int) -> None:
    """What an engine exports after a run at ``now``: another order, other times, other leavings."""
    files: dict[str, tuple[bytes, int]] = {
        "usr/bin/tool": (b"tool", EPOCH - 5),
        "etc/generated": (b"same", now),
        "etc/machine-id": (b"%032x" % now, now),
        "etc/passwd": (b"root", now),
        "etc/passwd-": (b"older", now),
        "var/cache/ldconfig/aux-cache": (b"%d" % now, now),
        "var/log/dpkg.log": (b"%d" % now, now),
        "var/log/apt/history.log": (b"%d" % now, now),
        "var/lib/dpkg/status": (b"installed", now),
        "var/lib/dpkg/status-old": (b"%d" % now, now),
        "bootstrap/base/0000_dpkg.deb": (b"deb", now),
        "usr/sbin/policy-rc.d": (b"exit 101", now),
        "run/lock/mine": (b"", now),
        ".dockerenv": (b"", now),
        "etc/hosts": (b"", now),
    }
    names = list(files)
    shuffled.shuffle(names)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as out:
        for directory in ("usr", "usr/bin", "run", "run/lock", "bootstrap"):
            entry = tarfile.TarInfo(f"{directory}/")
            entry.type, entry.mtime, entry.mode = tarfile.DIRTYPE, now, 0o755
            out.addfile(entry)
        for name in names:
            data, mtime = files[name]
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.uname = len(data), mtime, "root"
            if name == "usr/bin/tool":
                entry.pax_headers = {"SCHILY.xattr.user.a": "1", "atime": str(now)}
            out.addfile(entry, io.BytesIO(data))
        first, second = ("usr/bin/a", "usr/bin/b") if now % 2 else ("usr/bin/b", "usr/bin/a")
        entry = tarfile.TarInfo(first)
        entry.size, entry.mtime = 4, now
        out.addfile(entry, io.BytesIO(b"both"))
        entry = tarfile.TarInfo(second)
        entry.type, entry.linkname = tarfile.LNKTYPE, first
        out.addfile(entry)


def layer(place: Path, seed: int) -> Path:
    system(place / f"system{seed}", random.Random(seed), EPOCH + 1000 + seed)
    write_layer(str(place / f"system{seed}"), str(place / f"layer{seed}"), EPOCH)
    return place / f"layer{seed}"


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    assert layer(tmp_path, 1).read_bytes() == layer(tmp_path, 2).read_bytes()


def test_what_stays_and_how(tmp_path: Path) -> None:
    with tarfile.open(layer(tmp_path, 2)) as tar:
        entries = {entry.name: entry for entry in tar}
        assert list(entries) == sorted(entries) == [
            "etc/generated", "etc/machine-id", "etc/passwd", "run", "run/lock", "usr", "usr/bin",
            "usr/bin/a", "usr/bin/b", "usr/bin/tool", "var/lib/dpkg/status",
        ]  # fmt: skip
        assert entries["usr/bin/tool"].mtime == EPOCH - 5
        assert entries["usr/bin/tool"].pax_headers == {"SCHILY.xattr.user.a": "1"}
        assert entries["etc/generated"].mtime == entries["usr"].mtime == EPOCH
        assert entries["etc/machine-id"].size == 0
        assert entries["usr/bin/a"].isreg()
        assert entries["usr/bin/b"].linkname == "usr/bin/a"
        content = tar.extractfile("usr/bin/b")
        assert content is not None
        assert content.read() == b"both"
