"""``manifest inspect`` against a real registry, beside Docker's own client."""

import json
from collections.abc import Iterator

import pytest

from boxship.distribution.cancel import Cancel
from boxship.distribution.registries import Registries
from boxship.distribution.settings import RegistrySettings
from boxship.oci.digest import Digest
from boxship.oci.image import DOCKER_INDEX_TYPE, DOCKER_MANIFEST_TYPE
from boxship.oci.reference import parse
from support.registries import RegistryServer

CONFIG = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    with RegistryServer(tmp_path_factory.mktemp("registry")) as made:
        registries = Registries(RegistrySettings(cert_directories=()), "boxship/test")
        repository = registries.repository(parse(f"{made.host}/app"))
        config = Digest.of(CONFIG)
        repository.upload([CONFIG], Cancel(), digest=config, size=len(CONFIG))
        kind = "application/vnd.docker.container.image.v1+json"
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": DOCKER_MANIFEST_TYPE,
                "config": {"mediaType": kind, "size": len(CONFIG), "digest": str(config)},
                "layers": [],
            }
        ).encode()
        digest = repository.put_manifest("1", DOCKER_MANIFEST_TYPE, manifest)
        entry = {
            "mediaType": DOCKER_MANIFEST_TYPE,
            "size": len(manifest),
            "digest": str(digest),
            "platform": {"architecture": "amd64", "os": "linux"},
        }
        index = {"schemaVersion": 2, "mediaType": DOCKER_INDEX_TYPE, "manifests": [entry]}
        repository.put_manifest("all", DOCKER_INDEX_TYPE, json.dumps(index).encode())
        registries.close()
        yield made


@pytest.mark.parametrize("flags", [(), ("-v",)], ids=["plain", "verbose"])
@pytest.mark.parametrize("tag", ["1", "all"])
def test_the_same_is_shown(flags, tag, server, ours, theirs) -> None:
    line = ("manifest", "inspect", *flags, "--insecure", f"{server.host}/app:{tag}")
    docker, boxship = theirs(*line), ours(*line)
    assert docker.code == 0, docker
    assert (boxship.code, boxship.err) == (0, "")
    assert json.loads(boxship.out) == json.loads(docker.out)


def test_what_is_missing_is_named(server, ours, theirs) -> None:
    line = ("manifest", "inspect", "--insecure", f"{server.host}/app:none")
    docker, boxship = theirs(*line), ours(*line)
    assert boxship == docker
    assert boxship.code == 1
