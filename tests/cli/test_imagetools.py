"""``buildx imagetools`` against a real registry."""

import json
from collections.abc import Iterator

import pytest

from boxship.distribution.cancel import Cancel
from boxship.distribution.registries import Registries
from boxship.distribution.settings import RegistrySettings
from boxship.oci.digest import Digest
from boxship.oci.image import INDEX_TYPE, MANIFEST_TYPE
from boxship.oci.reference import parse
from support.registries import RegistryServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry with one image for each of two platforms."""
    with RegistryServer(tmp_path_factory.mktemp("registry")) as made:
        registries = Registries(RegistrySettings(cert_directories=()), "boxship/test")
        repository = registries.repository(parse(f"{made.host}/app"))
        for architecture in ("amd64", "arm64"):
            config = json.dumps({"architecture": architecture, "os": "linux"}).encode()
            digest = Digest.of(config)
            repository.upload([config], Cancel(), digest=digest, size=len(config))
            kind = "application/vnd.oci.image.config.v1+json"
            manifest = {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": {"mediaType": kind, "size": len(config), "digest": str(digest)},
                "layers": [],
            }
            repository.put_manifest(architecture, MANIFEST_TYPE, json.dumps(manifest).encode())
        registries.close()
        yield made


def test_an_index_is_made_of_images_and_brought_elsewhere(server, ours) -> None:
    sources = [f"{server.host}/app:{name}" for name in ("amd64", "arm64")]
    target = f"{server.host}/other:both"
    dry = ours("buildx", "imagetools", "create", "--dry-run", "--annotation", "k=v", *sources)
    index = json.loads(dry.out)
    assert index["mediaType"] == INDEX_TYPE
    assert index["annotations"] == {"k": "v"}
    done = ours("buildx", "imagetools", "create", "-t", target, *sources)
    assert done.code == 0, done
    shown = ours("buildx", "imagetools", "inspect", target).out
    assert shown.splitlines()[0] == f"Name:      {target}"
    assert [line.split()[-1] for line in shown.splitlines() if "Platform" in line] == [
        "linux/amd64",
        "linux/arm64",
    ]
    images = ours("buildx", "imagetools", "inspect", "--format", "{{json .Image}}", target)
    assert json.loads(images.out) == {
        f"linux/{name}": {"architecture": name, "os": "linux"} for name in ("amd64", "arm64")
    }
    raw = ours("buildx", "imagetools", "inspect", "--raw", target).out
    assert len(json.loads(raw)["manifests"]) == 2


def test_platforms_are_taken_and_others_kept(server, ours) -> None:
    target = f"{server.host}/app:some"
    both = [f"{server.host}/app:{name}" for name in ("amd64", "arm64")]
    create = ("buildx", "imagetools", "create", "-t", target)
    assert ours(*create, "--platform", "linux/arm64", *both).code == 0
    entries = json.loads(ours("buildx", "imagetools", "inspect", "--raw", target).out)["manifests"]
    assert [entry["platform"]["architecture"] for entry in entries] == ["arm64"]
    assert ours(*create, "--append", both[0]).code == 0
    entries = json.loads(ours("buildx", "imagetools", "inspect", "--raw", target).out)["manifests"]
    assert [entry["platform"]["architecture"] for entry in entries] == ["arm64", "amd64"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (("create",), "no sources specified"),
        (("create", "HOST/app:amd64"), "can't push without a tag"),
        (("create", "-t", "HOST/x", "HOST/app:none"), "app:none: not found"),
        (("create", "--append", "HOST/app:amd64"), "--append needs one --tag"),
        (
            ("create", "-t", "HOST/x", "-p", "linux/s390x", "HOST/app:amd64"),
            "none of the sources is for the platforms",
        ),
        (("inspect", "HOST/app:none"), "app:none: not found"),
    ],
)
def test_what_is_wrong_is_said(server, ours, line: tuple[str, ...], reason: str) -> None:
    words = [word.replace("HOST", server.host) for word in line]
    done = ours("buildx", "imagetools", *words)
    assert done.code == 1, done
    assert reason in done.err
