"""What is read in data roots that are odd: by hand made, as no test's dockerd leaves them."""

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from boxship.base.errors import (
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.importing.containerd import image_entries
from boxship.importing.inventory import Inventory
from boxship.importing.layers import chain_ids, written
from boxship.importing.reading import take_inventory
from boxship.importing.root import opened_root
from boxship.importing.tarsplit import DamagedLayerError
from boxship.model.adoption import AdoptedPool
from boxship.oci import platform
from boxship.oci.image import MANIFEST_TYPE
from support import residue
from support.boltfiles import Tree, database
from support.waiting import eventually

ID = "a" * 64
OTHER = "b" * 64


class Root:
    """A data root that has nothing so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("containers", "image/overlay2", "volumes", "network/files"):
            (path / name).mkdir(parents=True)
        self.bolt("volumes/metadata.db", {})
        self.bolt("network/files/local-kv.db", {})

    def bolt(self, name: str, tree: Tree) -> None:
        self.write(name, database(tree))

    def write(self, name: str, data: object) -> None:
        place = self.path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())

    def container(self, identity: str = ID, host: object = None, **document: Any) -> None:
        plain = {
            "ID": identity, "Name": f"/{identity[0]}", "Driver": "overlay2", "Image": "sha256:1",
            "Created": "2020-01-02T03:04:05.6Z", "Config": {"Image": "base"}, "Path": "sh",
        }  # fmt: skip
        self.write(f"containers/{identity}/config.v2.json", plain | document)
        self.write(f"containers/{identity}/hostconfig.json", host or {})

    def network(self, identity: str = ID, bridge: object = None, **document: Any) -> Tree:
        network = {"id": identity, "name": "made", "networkType": "bridge"} | document
        found = {f"docker/network/v1.0/network/{identity}/".encode(): _numbered(network)}
        if bridge:
            found[f"docker/network/v1.0/bridge/{identity}/".encode()] = _numbered(bridge)
        self.bolt("network/files/local-kv.db", {b"libnetwork": found})
        return found

    def read(self) -> Inventory:
        with opened_root(str(self.path), str(self.path / "elsewhere")) as root:
            return take_inventory(root)

    def left_out(self) -> str:
        (left,) = self.read().left_out
        return f"{left.kind} {left.name}: {left.reason}"


def _numbered(document: object) -> bytes:
    return bytes(8) + json.dumps(document).encode()


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path / "docker")


# ── the root itself ──────────────────────────────────────────────────────────────────────────────


def test_one_that_is_empty(root: Root) -> None:
    assert root.read() == Inventory()


def test_what_is_no_data_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "100.100").mkdir()
    for path, error, words in (
        (tmp_path / "missing", NotFoundError, "no directory"),
        (tmp_path / "file", InvalidArgumentError, "is no directory"),
        (tmp_path / "100.100", InvalidArgumentError, "userns-remap"),
        (tmp_path, InvalidArgumentError, r"userns-remap \(100\.100\)"),
        (tmp_path.parent, NotFoundError, "no data root"),
    ):
        with pytest.raises(error, match=words), opened_root(str(path)):
            pass


def test_other_storage_drivers_are_refused(root: Root) -> None:
    (root.path / "image/overlay2").rename(root.path / "image/btrfs")
    with pytest.raises(InvalidArgumentError, match=r"driver btrfs .*docker save"):
        root.read()


@pytest.mark.parametrize("name", ["volumes/metadata.db", "network/files/local-kv.db"])
def test_one_in_use_is_refused_and_by_whom_said(root: Root, name: str) -> None:
    with (root.path / name).open() as database:
        fcntl.flock(database, fcntl.LOCK_EX)
        with pytest.raises(ConflictError, match=rf"in use by .* \(process {os.getpid()}\)"):
            root.read()
    root.read()


def test_it_is_locked_as_long_as_it_is_read(root: Root) -> None:
    database = root.path / "volumes/metadata.db"
    with opened_root(str(root.path)), database.open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_damaged_database_is_named(root: Root) -> None:
    root.write("volumes/metadata.db", b"damaged")
    with pytest.raises(UnavailableError, match=r"volumes/metadata\.db cannot be read: there is no"):
        root.read()


# ── containers ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("document", "host", "reason"),
    [
        ({}, {"AutoRemove": True}, "it was to be removed when it ends (--rm)"),
        ({"State": {"Dead": True}}, {}, "its removal has begun"),
        ({"Config": {"Labels": {"com.docker.swarm.task.id": "x"}}}, {}, "it is a swarm's"),
        ({"Driver": "zfs"}, {}, "the storage driver zfs's"),
        ({"MountPoints": {"/v": {"Type": "volume", "Name": "v", "Driver": "nfs"}}}, {}, "nfs"),
        ({"Config": {"Env": 5}}, {}, "config.v2.json cannot be read"),
        ({}, {"Binds": "no list"}, "hostconfig.json cannot be read"),
    ],
)
def test_containers_that_do_not_come(
    root: Root, document: dict[str, Any], host: dict[str, Any], reason: str
) -> None:
    root.container(OTHER)
    root.container(ID, host, **document)
    assert [each.wanted.id for each in root.read().containers] == [OTHER]
    assert reason in root.left_out()
    assert root.left_out().startswith("container a")


@pytest.fixture
def process() -> Iterator[int]:
    """A process in the cgroup of a container."""
    group = Path(residue.hierarchies()[0], "bx-import", ID)
    group.mkdir(parents=True)
    try:
        with subprocess.Popen(["sleep", "infinity"]) as child:
            (group / "cgroup.procs").write_text(str(child.pid))
            yield child.pid
            child.kill()
    finally:
        eventually(lambda: not (group / "cgroup.procs").read_text(), "an empty cgroup")
        group.rmdir()
        group.parent.rmdir()


@pytest.mark.privileged
def test_one_that_runs_keeps_everything_from_coming(root: Root, process: int) -> None:
    root.container(ID, State={"Running": True, "Pid": process})
    with pytest.raises(ConflictError, match="still run without a daemon: a; start Docker's"):
        root.read()


def test_one_that_was_killed_with_its_machine_has_ended(root: Root) -> None:
    root.container(ID, State={"Running": True, "Pid": os.getpid()})  # somebody else's by now
    (found,) = root.read().containers
    assert found.wanted.state.exit_code == 255


def test_states_and_defaults(root: Root) -> None:
    root.container(
        ID,
        {"Runtime": "runc", "NetworkMode": "default"},
        State={"StartedAt": "0001-01-01T00:00:00Z", "FinishedAt": "nonsense"},
        HasBeenManuallyStopped=True,
    )
    (found,) = root.read().containers
    assert found.wanted.created_ns == 1_577_934_245_600_000_000
    assert (found.wanted.state.started_ns, found.wanted.state.finished_ns) == (0, 0)
    assert found.wanted.state.stopped_by_user
    assert (found.wanted.host_config.runtime, found.wanted.endpoints) == ("", ())


def test_aliases_that_dockerd_added_itself_are_left_out(root: Root) -> None:
    old = {"Aliases": ["db", ID[:12], "host"], "IPAMConfig": {"IPv4Address": "10.0.0.2"}}
    new = {
        "Aliases": ["host"],
        "DNSNames": ["host", ID[:12]],
        "DesiredMacAddress": "02:00:00:00:00:01",
    }
    networks = {"old": old, "new": new}
    root.container(ID, Config={"Hostname": "host"}, NetworkSettings={"Networks": networks})
    first, second = root.read().containers[0].wanted.endpoints
    assert (first.aliases, first.ipv4_address) == (("db",), "10.0.0.2")
    assert (second.aliases, second.mac_address) == (("host",), "02:00:00:00:00:01")


def test_files_that_are_references_to_a_layer_are_refused(root: Root) -> None:
    root.write(f"image/overlay2/layerdb/mounts/{ID}/mount-id", b"m")
    place = root.path / "overlay2/m/diff/dir"
    place.mkdir(parents=True)
    try:
        os.setxattr(place, "trusted.overlay.redirect", b"/old")
    except OSError:
        pytest.skip("trusted attributes are root's")
    with opened_root(str(root.path)) as opened:
        with pytest.raises(InvalidArgumentError, match="dir is a reference"):
            list(written(opened, "overlay2", ID, b"files"))
        with pytest.raises(DamagedLayerError, match="mount-id cannot be read"):
            list(written(opened, "overlay2", OTHER, b"files"))


# ── networks and volumes ─────────────────────────────────────────────────────────────────────────


def test_pools_as_they_were_asked_for_and_made(root: Root) -> None:
    info = [
        {"IPAMData": json.dumps({"Pool": pool, "Gateway": gateway})}
        for pool, gateway in (("10.0.0.0/24", "10.0.0.9/24"), ("fd00::/64", "fd00::1/64"))
    ]
    asked = {
        "PreferredPool": "10.0.0.0/24",
        "SubPool": "10.0.0.128/25",
        "AuxAddresses": {"r": "10.0.0.5"},
    }
    root.network(
        bridge={"BridgeIfaceCreator": 2},
        enableIPv6=True,
        ipamV4Config=json.dumps([asked]), ipamV4Info=json.dumps(info[:1]),
        ipamV6Config=json.dumps([{}]), ipamV6Info=json.dumps(info[1:]),
        generic={"com.docker.network.generic": {"parent": "eth0"}, "other": True},
    )  # fmt: skip
    (network,) = root.read().networks
    assert network.pools == (
        AdoptedPool("10.0.0.0/24", "10.0.0.128/25", "10.0.0.9", {"r": "10.0.0.5"}),
        AdoptedPool("fd00::/64", gateway="fd00::1", chosen=True),
    )
    assert (network.options, network.owns_bridge) == ({"parent": "eth0"}, False)


def test_templates_and_networks_of_swarms(root: Root) -> None:
    root.network(configOnly=True, ipamV4Config=json.dumps([{"PreferredPool": "10.0.0.0/8"}]))
    (network,) = root.read().networks
    assert (network.config_only, network.pools) == (True, (AdoptedPool("10.0.0.0/8"),))
    root.network(scope="swarm")
    assert root.left_out() == "network made: it is a swarm's"
    root.network(labels=7)
    assert root.left_out().startswith("network aaaaaaaaaaaa: it cannot be read")


def test_volumes_of_before_there_was_a_database_and_of_plugins(root: Root) -> None:
    (root.path / "volumes/old/_data").mkdir(parents=True)
    stored = {"MountType": "nfs", "MountOpts": "addr=x", "MountDevice": ":/x"}
    root.write("volumes/old/opts.json", stored)
    (root.path / "volumes/sized/_data").mkdir(parents=True)
    root.write("volumes/sized/opts.json", {"Quota": {"Size": 4096}})
    entries = {b"far": json.dumps({"Name": "far", "Driver": "rexray"}).encode(), b"bad": b"{"}
    root.bolt("volumes/metadata.db", {b"volumes": entries})
    found = root.read()
    old, sized = found.volumes
    assert (old.options, old.files) == ({"type": "nfs", "o": "addr=x", "device": ":/x"}, False)
    assert (sized.options, sized.files) == ({"size": "4096"}, True)
    assert [f"{left.name}: {left.reason}"[:30] for left in found.left_out] == [
        "bad: its labels cannot be read", "far: it is the driver's, rexra"
    ]  # fmt: skip


def test_a_swarm_is_told_of(root: Root) -> None:
    root.write("swarm/docker-state.json", {})
    assert root.left_out() == "swarm : services, secrets and nodes are not taken over"


# ── images ───────────────────────────────────────────────────────────────────────────────────────


def test_images_that_cannot_be_read_and_those_built_on_others(root: Root) -> None:
    image = "image/overlay2/imagedb"
    root.write(f"{image}/content/sha256/{ID}", {"rootfs": {"diff_ids": ["sha256:1"]}})
    root.write(f"{image}/content/sha256/{OTHER}", b"{")
    root.write(f"{image}/metadata/sha256/{ID}/parent", b"sha256:9\n")
    names = {"me/app": {"me/app:1": f"sha256:{ID}", f"me/app@sha256:{OTHER}": f"sha256:{ID}"}}
    root.write("image/overlay2/repositories.json", {"Repositories": names})
    (found,) = root.read().images
    assert (found.names, found.parent, found.layers) == (("me/app:1",), "sha256:9", ("sha256:1",))
    assert root.left_out().startswith(f"image {OTHER[:12]}: ")


def test_chain_ids() -> None:
    assert chain_ids(()) == ()
    first, second = chain_ids(("sha256:1", "sha256:2"))
    assert first == "sha256:1"
    assert second == "sha256:" + sha256(b"sha256:1 sha256:2").hexdigest()


# ── containerd's stores ──────────────────────────────────────────────────────────────────────────

BLOBS = "elsewhere/io.containerd.content.v1.content/blobs/sha256"
METADATA = "io.containerd.metadata.v1.bolt/meta.db"


class Stores:
    """Those of the machine's containerd, with an index of two platforms, one of them whole."""

    def __init__(self, root: Root) -> None:
        self._root = root
        (root.path / "rootfs/overlayfs").mkdir(parents=True)
        self.layer = self.blob(b"not looked at here")
        here = platform.host()
        config = {
            "architecture": here.architecture, "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{ID}"]},
        }  # fmt: skip
        self.config = self.blob(config)
        parts = {"config": self.descriptor(self.config), "layers": [self.descriptor(self.layer)]}
        self.manifest = self.blob({"schemaVersion": 2, **parts})
        self.index = self.blob({
            "schemaVersion": 2,
            "manifests": [self.descriptor(self.manifest), self.descriptor(f"sha256:{OTHER}")],
        })  # fmt: skip
        self.name("docker.io/library/base:1", "moby-dangling@" + self.index, "r.test/me/app:2")

    @staticmethod
    def descriptor(digest: str) -> dict[str, object]:
        return {
            "mediaType": MANIFEST_TYPE,
            "digest": digest,
            "size": 1,
        }

    def blob(self, content: object) -> str:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        digits = sha256(data).hexdigest()
        self._root.write(f"{BLOBS}/{digits}", data)
        return f"sha256:{digits}"

    def name(self, *names: str, target: str = "") -> None:
        meaning = {b"target": {b"digest": (target or self.index).encode()}}
        images: Tree = {name.encode(): meaning for name in names}
        self._root.bolt(f"elsewhere/{METADATA}", {b"v1": {b"moby": {b"images": images}}})


def test_an_image_is_what_this_machine_runs_of_it(root: Root) -> None:
    stores = Stores(root)
    root.container(ID, Driver="overlayfs", Image=stores.index)
    found = root.read()
    (image,) = found.images
    assert (image.id, image.target) == (stores.config, stores.index)
    assert image.names == ("base:1", "r.test/me/app:2")
    assert found.containers[0].wanted.image == stores.config
    with opened_root(str(root.path), str(root.path / "elsewhere")) as opened:
        whole = b"".join(image_entries(opened, image, ("base:1",), frozenset(image.layers)))
        parts = b"".join(image_entries(opened, image, (), frozenset()))
    for digest in (stores.index, stores.manifest, stores.config, stores.layer):
        assert digest.replace(":", "/").encode() in whole
    assert b'"io.containerd.image.name": "docker.io/library/base:1"' in whole
    assert stores.layer.replace(":", "/").encode() not in parts


def test_an_image_of_which_no_platform_is_whole_is_left_out(root: Root) -> None:
    stores = Stores(root)
    (root.path / BLOBS / stores.layer.removeprefix("sha256:")).unlink()
    assert "no platform of" in root.read().left_out[0].reason


def test_a_containers_files_are_its_snapshots(root: Root) -> None:
    Stores(root)
    snapshotter = "elsewhere/io.containerd.snapshotter.v1.overlayfs"
    snapshots: Tree = {
        b"moby/7/" + ID.encode() + b"-init": {b"id": b"\x01"},
        b"moby/8/" + ID.encode(): {b"id": b"\xac\x02"},
    }
    root.bolt(f"{snapshotter}/metadata.db", {b"v1": {b"snapshots": snapshots}})
    root.write(f"{snapshotter}/snapshots/300/fs/file", b"of the container")
    with opened_root(str(root.path), str(root.path / "elsewhere")) as opened:
        assert b"of the container" in b"".join(
            map(bytes, written(opened, "overlayfs", ID, b"files"))
        )
        with pytest.raises(DamagedLayerError, match="no snapshot of container"):
            list(written(opened, "overlayfs", OTHER, b"files"))
