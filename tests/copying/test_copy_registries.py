"""Copies to, from and between repositories of a real registry, with skopeo as the judge."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boxship.copying.content import NoSuchImageError
from boxship.distribution.errors import RegistryError
from boxship.oci.platform import Platform, parse
from support.programs import required
from support.registries import RegistryServer

from .conftest import Copy, Layout


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture(scope="module")
def other() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


def skopeo(*arguments: str) -> Any:
    done = subprocess.run([required("skopeo"), *arguments], stdout=subprocess.PIPE, check=True)
    return done.stdout


def raw(registry: RegistryServer, name: str) -> bytes:
    return bytes(
        skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{registry.host}/{name}")
    )


def manifest_of(layout: Layout, digest: str) -> bytes:
    return (layout.path / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()


def test_layout_to_registry_and_back(
    layout: Layout, registry: RegistryServer, copied: Copy, tmp_path: Path
) -> None:
    image = layout.image("a")
    layout.name(one=image)
    name = f"registry:{registry.host}/back/app:1"
    assert copied(f"oci:{layout.path}:one", name)[-1] == image["digest"]
    assert raw(registry, "back/app:1") == manifest_of(layout, image["digest"])
    assert copied(name, f"oci:{tmp_path / 'back'}:one")[-1] == image["digest"]
    by_digest = f"registry:{registry.host}/back/app@{image['digest']}"
    assert copied(by_digest, f"oci:{tmp_path / 'back'}:two")[-1] == image["digest"]
    blobs = {path.name for path in (tmp_path / "back/blobs/sha256").iterdir()}
    assert blobs == layout.blobs()


def test_an_index_whole_and_in_part(layout: Layout, registry: RegistryServer, copied: Copy) -> None:
    here, there = layout.image("a"), layout.image("b", "arm64")
    index = layout.list_of(there, here)
    layout.name(multi=index)
    source, name = f"oci:{layout.path}:multi", f"registry:{registry.host}/multi/app"
    assert copied(source, f"{name}:all", everything=True)[-1] == index["digest"]
    assert raw(registry, "multi/app:all") == manifest_of(layout, index["digest"])
    assert copied(f"{name}:all", f"{name}:arm", wanted=parse("arm64"))[-1] == there["digest"]
    assert copied(f"{name}:all", f"{name}:host")[-1] == here["digest"]
    with pytest.raises(NoSuchImageError, match="but for linux/arm64, linux/amd64"):
        copied(f"{name}:all", f"{name}:no", wanted=Platform("linux", "s390x"))


def test_between_repositories_blobs_are_mounted(
    layout: Layout, registry: RegistryServer, copied: Copy
) -> None:
    layout.name(one=layout.image("mounted"))
    first, second = (f"registry:{registry.host}/mount/{name}:1" for name in ("from", "to"))
    copied(f"oci:{layout.path}", first)
    lines = copied(first, second)
    assert [line.partition(": ")[2] for line in lines[:-1]] == ["Mounted from mount/from"] * 2
    lines = copied(first, second)
    assert [line.partition(": ")[2] for line in lines[:-1]] == ["Already exists"] * 2


def test_between_registries(
    layout: Layout, registry: RegistryServer, other: RegistryServer, copied: Copy
) -> None:
    image = layout.image("b")
    layout.name(multi=layout.list_of(image))
    copied(f"oci:{layout.path}", f"registry:{registry.host}/far/app:1", everything=True)
    digest = copied(
        f"registry:{registry.host}/far/app:1",
        f"registry:{other.host}/near/app:1",
        everything=True,
    )[-1]
    assert raw(other, "near/app:1") == raw(registry, "far/app:1")
    assert digest == layout.named()["multi"]


def test_plain_layers_are_compressed_alike_every_time(
    layout: Layout, registry: RegistryServer, other: RegistryServer, copied: Copy
) -> None:
    plain = layout.image("a" * 100_000, packed=False)
    layout.name(plain=plain)
    digest = copied(f"oci:{layout.path}", f"registry:{registry.host}/packed/app:1")[-1]
    copied(f"oci:{layout.path}", f"registry:{other.host}/packed/app:1")
    found = raw(registry, "packed/app:1")
    assert digest == f"sha256:{hashlib.sha256(found).hexdigest()}"
    assert found == raw(other, "packed/app:1")
    before = json.loads(manifest_of(layout, plain["digest"]))
    after = json.loads(found)
    assert after["config"] == before["config"]
    assert after["layers"][0]["mediaType"].endswith("tar+gzip")
    assert after["layers"][0]["size"] < 1000
    again = copied(f"oci:{layout.path}", f"registry:{registry.host}/packed/app:2")
    assert sum(line.endswith("Already exists") for line in again) == 2
    skopeo("copy", "-q", "--src-tls-verify=false", f"docker://{registry.host}/packed/app:1",
           f"oci:{layout.path}:skopeo")  # fmt: skip


def test_a_repository_that_is_not_there(
    registry: RegistryServer, copied: Copy, tmp_path: Path
) -> None:
    with pytest.raises(NoSuchImageError, match="none/app:1: manifest unknown"):
        copied(f"registry:{registry.host}/none/app:1", f"oci:{tmp_path / 'x'}")
    assert not (tmp_path / "x").exists()


def test_a_registry_whose_blob_is_false(
    layout: Layout, registry: RegistryServer, copied: Copy, tmp_path: Path
) -> None:
    image = layout.image("false")
    layout.name(one=image)
    name = f"registry:{registry.host}/false/app:1"
    copied(f"oci:{layout.path}", name)
    layer = json.loads(manifest_of(layout, image["digest"]))["layers"][0]
    path = registry.blob_path(layer["digest"])
    path.write_bytes(bytes(layer["size"]))
    with pytest.raises(RegistryError, match=r"digest|sha256"):
        copied(name, f"oci:{tmp_path / 'x'}:1")
    with pytest.raises(RegistryError):
        copied(name, f"archive:{tmp_path / 'x.tar'}")
    assert not (tmp_path / "x.tar").exists()
    assert layer["digest"][7:] not in {
        one.name for one in (tmp_path / "x/blobs").rglob("*") if one.is_file()
    }
