"""Caches that come and go: by a registry, inside an image, as a client's directory. One engine."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boxship.engine.build.progress import VertexWarning
from boxship.engine.build.requests import (
    BuildResult,
    CacheExport,
    CacheImport,
    CacheKind,
    CacheUse,
    ImageOutput,
    PruneRequest,
)
from boxship.engine.images.pushing import PushRequest
from boxship.oci.reference import parse
from support.building import LocalClient, Workshop, workshop, write
from support.registries import RegistryServer

pytestmark = pytest.mark.privileged

TEXT = (
    "FROM busybox AS build\nRUN echo made >/made; touch /more\n"
    "FROM busybox\nCOPY f /f\nCOPY --from=build /made /made\nRUN cat /made\n"
)
STEPS = [
    "RUN echo made >/made; touch /more",
    "COPY f /f",
    "COPY --from=build /made /made",
    "RUN cat /made",
]


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
    forget(_shop)
    # Connections to registries are kept for the next pull or push.
    _shop.engine.images.registries.close()
    gc.collect()


@pytest.fixture
def client(tmp_path: Path) -> LocalClient:
    directory = tmp_path / "context"
    directory.mkdir()
    write(directory, f="1")
    return LocalClient(directory)


def forget(shop: Workshop) -> None:
    """Leave nothing of earlier builds: neither results nor images."""
    shop.do(shop.engine.builds.prune(PruneRequest(all=True)))
    for image in shop.engine.images._scope.catalog:
        if "busybox" not in str(shop.engine.images.of_builds.names(image.id)):
            shop.do(shop.engine.images.remove(str(image.id), force=True))
    assert shop.do(shop.engine.builds.usage()) == []


def by_registry(reference: str, **attributes: str) -> tuple[CacheUse, CacheUse]:
    """To it, and from it."""
    wanted = {"ref": reference, **attributes}
    there = CacheUse(exports=(CacheExport(CacheKind.REGISTRY, wanted),))
    return there, CacheUse(imports=(CacheImport(CacheKind.REGISTRY, wanted),))


@pytest.mark.parametrize("mode", ["min", "max"])
def test_by_a_registry(
    shop: Workshop, client: LocalClient, registry: RegistryServer, mode: str
) -> None:
    there, here = by_registry(f"{registry.host}/cache:{mode}", mode=mode)
    shop.build(TEXT, client, cache=there)
    images = shop.engine.images.count()
    forget(shop)
    shop.build(TEXT, client, cache=here, outputs=())
    assert shop.told.ran() == []
    assert shop.engine.images.count() < images, "what brought the cache is gone"
    write(client.directory, f="2")
    shop.build(TEXT, client, cache=here, outputs=())
    again = [STEPS[1], STEPS[2], STEPS[3]]
    assert sorted(shop.told.ran()) == sorted(again if mode == "max" else [STEPS[0], *again])


def test_inside_the_image(shop: Workshop, client: LocalClient, registry: RegistryServer) -> None:
    name = parse(f"{registry.host}/app:1")
    inline = CacheUse(exports=(CacheExport(CacheKind.INLINE),))
    shop.build(TEXT, client, cache=inline, outputs=(ImageOutput((name,)),))

    async def push() -> None:
        async for _ in shop.engine.images.push(PushRequest(name)):
            pass

    shop.do(push())
    forget(shop)
    _, here = by_registry(str(name))
    shop.build(TEXT, client, cache=here)
    assert shop.told.ran() == []


def test_as_a_directory_of_the_client_with_cache_mounts(
    shop: Workshop, client: LocalClient, tmp_path: Path
) -> None:
    text = "FROM busybox\nRUN --mount=type=cache,id=kept,target=/k echo kept >/k/file\n"
    attributes = {"dest": "somewhere", "mode": "max", "mounts": "1"}
    there = CacheUse(exports=(CacheExport(CacheKind.LOCAL, attributes),))
    shop.build(text, client, cache=there)
    (received,) = client.received.values()
    assert (received / "index.json").exists()
    forget(shop)

    other = LocalClient(received)
    here = CacheUse(imports=(CacheImport(CacheKind.LOCAL, {"src": "somewhere"}),))
    shop.build(text, other, cache=here)
    assert shop.told.ran() == []
    shop.build(f"{text}RUN --mount=type=cache,id=kept,target=/k cat /k/file\n", client)
    assert shop.told.log("cat") == "kept\n"


def test_one_that_is_not_there_is_a_warning(
    shop: Workshop, client: LocalClient, registry: RegistryServer
) -> None:
    _, here = by_registry(f"{registry.host}/nothing:here")
    shop.build(TEXT, client, cache=here)
    (warning,) = shop.told.of(VertexWarning)
    assert "failed to import cache" in warning.short
    assert len(shop.told.ran()) == 4


CLASSIC = (
    "FROM busybox AS build\nENV A=1\nRUN cat /proc/sys/kernel/random/uuid >/made\n"
    "FROM busybox\nARG V=1\nRUN cat /proc/sys/kernel/random/uuid >/when\n"
    "COPY f /f\nCOPY --from=build /made /made\n"
    "RUN true\nWORKDIR /w\nRUN cat /proc/sys/kernel/random/uuid >/again\n"
)


def test_layers_of_an_image_are_a_classic_builds_cache(shop: Workshop, client: LocalClient) -> None:
    named = CacheUse(imports=(CacheImport(CacheKind.REGISTRY, {"ref": "was:1"}),))
    shop.build(CLASSIC, client, name="stage:1", classic=True, target="build")
    first = shop.build(CLASSIC, client, name="was:1", classic=True)
    both = CacheUse(imports=(*named.imports, CacheImport(CacheKind.REGISTRY, {"ref": "stage:1"})))

    def again(text: str, use: CacheUse, **more: Any) -> tuple[list[str], BuildResult]:
        shop.do(shop.engine.builds.prune(PruneRequest(all=True)))
        made = shop.build(text, client, classic=True, cache=use, **more)
        return shop.told.ran(), made

    ran, made = again(CLASSIC, both)
    assert ran == []
    assert made.images == first.images
    assert shop.build(CLASSIC, client, classic=True).images == first.images
    ran, _ = again(CLASSIC, named)  # it knows nothing of the other stage
    assert ran[0] == "RUN cat /proc/sys/kernel/random/uuid >/made"
    assert ran[1:] == CLASSIC.splitlines()[-4:]
    write(client.directory, f="2")
    assert again(CLASSIC, both)[0][0] == "COPY f /f"
    write(client.directory, f="1")
    changed = CLASSIC.replace("ENV A=1", "ENV A=2")
    assert again(changed, both)[0][0] == "RUN cat /proc/sys/kernel/random/uuid >/made"
    assert (
        again(CLASSIC, both, build_args={"V": "2"})[0][0]
        == "RUN cat /proc/sys/kernel/random/uuid >/when"
    )
