"""Where results go: archives, files, registries, several platforms. One engine, one registry."""

import gc
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.engine.build.requests import (
    ArchiveOutput,
    Attestations,
    BuildResult,
    Compression,
    FilesOutput,
    ImageOutput,
    LayerOptions,
    PruneRequest,
)
from boxship.oci.digest import Digest
from boxship.oci.platform import Platform
from boxship.oci.platform import parse as platform
from boxship.oci.reference import parse
from support.building import LocalClient, Workshop, workshop, write
from support.registries import RegistryServer

pytestmark = pytest.mark.privileged

TEXT = (
    "FROM busybox AS made\nRUN mkdir /out && echo made >/out/made && ln -s made /out/link\n"
    "FROM scratch\nCOPY --from=made /out /\nCOPY f /dir/f\n"
)
EPOCH = {"SOURCE_DATE_EPOCH": "1500000000"}
IMAGE = (platform("linux/amd64"), platform("linux/arm64"))


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as made:
        yield made


@pytest.fixture(scope="module")
def _shop(registry: RegistryServer) -> Iterator[Workshop]:
    with workshop() as made:
        yield made


@pytest.fixture
def shop(_shop: Workshop) -> Iterator[Workshop]:
    yield _shop
    _shop.settle()
    settings = _shop.place.settings
    # Connections to registries are kept for the next pull or push.
    _shop.engine.images.registries.close()
    gc.collect()
    _shop.engine.checker._storage.disposal.settle()
    assert os.listdir(f"{settings.data_root}/tmp") == []


@pytest.fixture
def client(tmp_path: Path) -> LocalClient:
    write(tmp_path / "context", f="a file\n")
    return LocalClient(tmp_path / "context")


def files(data: bytes) -> dict[str, bytes]:
    """The files of a tar; links as what they lead to."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {
            member.name: (archive.extractfile(member) or io.BytesIO()).read()
            if member.isfile()
            else member.linkname.encode()
            for member in archive
            if not member.isdir()
        }


def blob(layout: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    """A blob of a layout, which is what its descriptor says."""
    found = layout["blobs/sha256/" + descriptor["digest"].removeprefix("sha256:")]
    assert len(found) == descriptor["size"]
    assert str(Digest.of(found)) == descriptor["digest"]
    return found


def archived(
    shop: Workshop, client: LocalClient, **more: Any
) -> tuple[dict[str, bytes], BuildResult]:
    """Build to an archive; its files, and what was answered."""
    options = {name: more.pop(name) for name in ("oci", "names", "layers") if name in more}
    output = ArchiveOutput(options.pop("oci", True), **options)
    result = shop.build(TEXT, client, outputs=(output,), **more)
    return files(client.files[""]), result


def test_only_the_daemons_owner_calls_a_registry_insecure(
    shop: Workshop, client: LocalClient, registry: RegistryServer
) -> None:
    text = "FROM scratch\nCOPY f /f\n"
    here = ImageOutput((parse(f"{registry.host}/insecure:1"),), push=True, insecure=True)
    shop.build(text, client, outputs=(here,))
    there = ImageOutput((parse("registry.example/x:1"),), push=True, insecure=True)
    with pytest.raises(InvalidArgumentError, match="insecure-registries"):
        shop.build(text, client, outputs=(there,))


# ── files ────────────────────────────────────────────────────────────────────────────────────


def test_files_as_a_tar(shop: Workshop, client: LocalClient) -> None:
    shop.build(TEXT, client, outputs=(FilesOutput(tar=True),), build_args=EPOCH)
    found = files(client.files[""])
    assert found == {"made": b"made\n", "link": b"made", "dir/f": b"a file\n"}
    with tarfile.open(fileobj=io.BytesIO(client.files[""])) as archive:
        assert {member.mtime for member in archive} == {1_500_000_000}


def test_files_in_a_directory(shop: Workshop, client: LocalClient) -> None:
    shop.build(TEXT, client, outputs=(FilesOutput(tar=False),))
    place = client.received[""]
    assert (place / "made").read_text() == "made\n"
    assert (place / "dir/f").read_text() == "a file\n"
    assert os.readlink(place / "link") == "made"


def test_files_of_several_platforms(shop: Workshop, client: LocalClient) -> None:
    text = "FROM scratch\nCOPY f /f\n"
    shop.build(text, client, outputs=(FilesOutput(tar=False),), platforms=IMAGE)
    assert sorted(os.listdir(client.received[""])) == ["linux_amd64", "linux_arm64"]
    assert (client.received[""] / "linux_arm64/f").read_text() == "a file\n"
    told = Attestations(provenance="min", sbom=True)
    shop.build(text, client, outputs=(FilesOutput(tar=True),), attestations=told)
    found = files(client.files[""])
    assert sorted(found) == ["f", "provenance.json", "sbom.spdx.json"]
    assert json.loads(found["sbom.spdx.json"])["predicate"]["spdxVersion"] == "SPDX-2.3"
    told = Attestations(provenance="min", provenance_attributes={"inline-only": "true"})
    shop.build(text, client, outputs=(FilesOutput(tar=True),), attestations=told)
    assert sorted(files(client.files[""])) == ["f"]


def test_one_platform_may_be_put_out_as_several_are(shop: Workshop, client: LocalClient) -> None:
    text, listed = "FROM scratch\nCOPY f /f\n", {"BUILDKIT_MULTI_PLATFORM": "1"}
    outputs = (FilesOutput(tar=True), ArchiveOutput(oci=True, metadata={"id": "oci"}))
    shop.build(text, client, outputs=outputs, build_args=listed)
    (path,) = files(client.files[""])
    assert path.endswith("/f")
    layout = files(client.files["oci"])
    (top,) = json.loads(layout["index.json"])["manifests"]
    index = json.loads(blob(layout, top))
    assert [m["platform"]["os"] for m in index["manifests"]] == ["linux"]
    with pytest.raises(InvalidArgumentError, match="BUILDKIT_MULTI_PLATFORM: maybe"):
        shop.build(text, client, build_args={"BUILDKIT_MULTI_PLATFORM": "maybe"})


def test_stages_and_the_context_are_scanned_where_arguments_say_so(
    shop: Workshop, client: LocalClient
) -> None:
    status = "Package: {}\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"
    write(client.directory, f="1", var__lib__dpkg__status=status.format("of-the-context"))
    place = "/var/lib/dpkg"
    text = (
        "ARG BUILDKIT_SBOM_SCAN_STAGE=named\n"
        "FROM busybox AS own\nARG BUILDKIT_SBOM_SCAN_STAGE\n"
        f"RUN mkdir -p {place} && printf {status.format('of-own')!r} >{place}/status\n"
        "FROM busybox AS named\nRUN true\nFROM busybox AS other\nRUN true\n"
        "FROM scratch\nARG BUILDKIT_SBOM_SCAN_CONTEXT=true\nCOPY f /f\n"
        "COPY --from=own /bin/true /a\nCOPY --from=named /bin/true /b\n"
        "COPY --from=other /bin/true /c\n"
    )
    told = Attestations(sbom=True)
    outputs = (FilesOutput(tar=True),)
    shop.build(text, client, outputs=outputs, attestations=told,
               build_args={"BUILDKIT_SBOM_SCAN_STAGE": "own,named"})  # fmt: skip
    found = {n: d for n, d in files(client.files[""]).items() if n.startswith("sbom")}
    packages = {
        name: [each["name"] for each in json.loads(data)["predicate"]["packages"]]
        for name, data in found.items()
    }
    assert packages == {
        "sbom.spdx.json": [],
        "sbom-own.spdx.json": ["of-own"],
        "sbom-named.spdx.json": [],
        "sbom-context.spdx.json": ["of-the-context"],
    }


# ── archives ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("compression", "media_type", "magic"),
    [
        (Compression.GZIP, "application/vnd.oci.image.layer.v1.tar+gzip", b"\x1f\x8b"),
        (Compression.ZSTD, "application/vnd.oci.image.layer.v1.tar+zstd", b"\x28\xb5\x2f\xfd"),
        (Compression.NONE, "application/vnd.oci.image.layer.v1.tar", b""),
    ],
)
def test_a_layout(
    shop: Workshop, client: LocalClient, compression: Compression, media_type: str, magic: bytes
) -> None:
    options = LayerOptions(compression, annotations={"a": "b", "manifest-descriptor:c": "d"})
    names = (parse("one/two:three").with_default_tag(),)
    layout, result = archived(shop, client, names=names, layers=options)
    (top,) = json.loads(layout["index.json"])["manifests"]
    assert top["annotations"] == {
        "c": "d",
        "io.containerd.image.name": "docker.io/one/two:three",
        "org.opencontainers.image.ref.name": "three",
    }
    manifest = json.loads(blob(layout, top))
    assert manifest["annotations"] == {"a": "b"}
    config = json.loads(blob(layout, manifest["config"]))
    assert len(config["rootfs"]["diff_ids"]) == len(manifest["layers"]) == 2
    for layer in manifest["layers"]:
        assert layer["mediaType"] == media_type
        assert blob(layout, layer).startswith(magic)
    assert result.response["containerimage.digest"] == top["digest"]
    assert result.response["image.name"] == "docker.io/one/two:three"
    again, _ = archived(shop, client, names=names, layers=options)
    assert again == layout


def test_what_docker_load_takes(shop: Workshop, client: LocalClient) -> None:
    names = (parse("loaded:v1").with_default_tag(),)
    layout, result = archived(shop, client, oci=False, names=names)
    (item,) = json.loads(layout["manifest.json"])
    assert item["RepoTags"] == ["loaded:v1"]
    image_id = result.response["containerimage.config.digest"]

    async def load() -> None:
        async def chunks() -> Any:
            yield client.files[""]

        async for _ in shop.engine.images.load(chunks()):
            pass

    shop.do(load())
    with shop.engine.images.hold("loaded:v1") as found:
        assert str(found.id) == image_id


def test_a_layout_as_a_directory(shop: Workshop, client: LocalClient) -> None:
    shop.build(TEXT, client, outputs=(ArchiveOutput(oci=True, tar=False),))
    assert sorted(os.listdir(client.received[""])) == ["blobs", "index.json", "oci-layout"]


def test_several_platforms_and_what_is_told(shop: Workshop, client: LocalClient) -> None:
    names = (parse("many:1").with_default_tag(),)
    output = ArchiveOutput(oci=True, names=names)
    shop.build(
        "FROM busybox AS b\nFROM scratch\nARG TARGETARCH\nCOPY f /$TARGETARCH\n",
        client, outputs=(output,), platforms=IMAGE, build_args={"SECRETIVE": "value"},
        attestations=Attestations(provenance="max", sbom=True),
    )  # fmt: skip
    layout = files(client.files[""])
    (top,) = json.loads(layout["index.json"])["manifests"]
    index = json.loads(blob(layout, top))
    shown = [f"{m['platform']['os']}/{m['platform']['architecture']}" for m in index["manifests"]]
    assert shown == ["linux/amd64", "linux/arm64", "unknown/unknown", "unknown/unknown"]
    for image, attested in zip(index["manifests"][:2], index["manifests"][2:], strict=True):
        said = attested["annotations"]
        assert said["vnd.docker.reference.digest"] == image["digest"]
        assert said["vnd.docker.reference.type"] == "attestation-manifest"
        kinds = []
        for layer in json.loads(blob(layout, attested))["layers"]:
            statement = json.loads(blob(layout, layer))
            kinds.append(layer["annotations"]["in-toto.io/predicate-type"])
            assert kinds[-1] == statement["predicateType"]
            (subject,) = statement["subject"]
            assert "sha256:" + subject["digest"]["sha256"] == image["digest"]
            assert subject["name"].startswith("pkg:docker/many@1?platform=linux%2F")
        assert kinds == ["https://spdx.dev/Document", "https://slsa.dev/provenance/v0.2"]


def test_two_machines_agree(shop: Workshop, client: LocalClient) -> None:
    """The same input, without any cache, gives the same bytes."""
    found = []
    for _ in range(2):
        layout, result = archived(shop, client, build_args=EPOCH, source_date_epoch=1_500_000_000)
        found.append((result.response["containerimage.digest"], layout))
        shop.do(shop.engine.builds.prune(PruneRequest(all=True)))
    assert found[0] == found[1]


def test_what_cannot_be_packed(shop: Workshop, client: LocalClient) -> None:
    for options in (
        LayerOptions(Compression.ESTARGZ),
        LayerOptions(Compression.ZSTD, level=99),
        LayerOptions(annotations={"index:a": "b"}),
    ):
        with pytest.raises(InvalidArgumentError):
            archived(shop, client, layers=options)
    with pytest.raises(InvalidArgumentError, match="tag is needed"):
        shop.build(TEXT, client, outputs=(ImageOutput((), push=True),))


# ── images ───────────────────────────────────────────────────────────────────────────────────


def test_pushed(shop: Workshop, client: LocalClient, registry: RegistryServer) -> None:
    name = parse(f"{registry.host}/pushed:v1").with_default_tag()
    told = Attestations(provenance="min")
    output = ImageOutput((name,), push=True, layers=LayerOptions(oci_types=True))
    result = shop.build(TEXT, client, outputs=(output,), attestations=told, platforms=IMAGE[:1])
    repository = shop.engine.images.registries.repository(name)
    found = repository.manifest("v1")
    assert str(found.digest) == result.response["containerimage.digest"]
    listed = json.loads(found.data)["manifests"]
    assert [m["platform"]["os"] for m in listed] == ["linux", "unknown"]
    for each in listed:
        manifest = json.loads(repository.manifest(Digest.parse(each["digest"])).data)
        for part in (manifest["config"], *manifest["layers"]):
            assert repository.has_blob(Digest.parse(part["digest"])) == part["size"]
    with shop.engine.images.hold(str(name)) as image:
        assert str(image.id) == result.images[0].image_id


def test_pushed_as_any_image(shop: Workshop, client: LocalClient, registry: RegistryServer) -> None:
    name = parse(f"{registry.host}/any:v1").with_default_tag()
    result = shop.build(TEXT, client, outputs=(ImageOutput((name,), push=True),))
    found = shop.engine.images.registries.repository(name).manifest("v1")
    assert str(found.digest) == result.response["containerimage.digest"]
    assert json.loads(found.data)["config"]["digest"] == result.images[0].image_id


def test_pushed_by_digest(shop: Workshop, client: LocalClient, registry: RegistryServer) -> None:
    name = parse(f"{registry.host}/by-digest")
    output = ImageOutput((name,), push_by_digest=True)
    result = shop.build(TEXT, client, outputs=(output,))
    repository = shop.engine.images.registries.repository(name)
    digest = Digest.parse(result.response["containerimage.digest"])
    assert repository.manifest(digest).digest == digest
    with pytest.raises(NotFoundError):  # of a repository without names it knows none
        list(repository.tags())


def test_several_platforms_in_the_store(shop: Workshop, client: LocalClient) -> None:
    text = "FROM scratch\nARG TARGETARCH\nCOPY f /$TARGETARCH\n"
    result = shop.build(text, client, name="several", platforms=IMAGE)
    ids = []
    for wanted in IMAGE:
        with shop.engine.images.hold("several", wanted) as found:
            assert found.image.platform == Platform(wanted.os, wanted.architecture, wanted.variant)
            ids.append(str(found.id))
    assert ids == [image.image_id for image in result.images]
    assert len(set(ids)) == 2
