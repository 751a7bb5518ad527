"""When an image was used last, and how seldom that is written down."""

from dataclasses import dataclass, field

import pytest

from boxship.engine.images.lastuse import WRITTEN_EVERY_NS, LastUse
from boxship.oci.digest import Digest
from support.shop import Shop, docker_archive, run, sample

IMAGE = Digest.of(b"image")


@dataclass
class SetClock:
    now: int = 10**18

    def now_ns(self) -> int:
        return self.now


@dataclass
class Disk:
    written: list[int] = field(default_factory=list)

    def write(self, image_id: Digest, at_ns: int) -> None:
        assert image_id == IMAGE
        self.written.append(at_ns)


def test_written_at_most_once_a_minute() -> None:
    clock, disk = SetClock(), Disk()
    last_use = LastUse(clock, disk.write)
    begun = clock.now
    for _ in range(130):
        last_use.record(str(IMAGE))
        clock.now += 10**9
    assert disk.written == [begun, begun + WRITTEN_EVERY_NS, begun + 2 * WRITTEN_EVERY_NS]


def test_the_image_of_no_container_is_nobodys() -> None:
    LastUse(SetClock(), Disk().write).record("")


@pytest.mark.privileged
def test_it_is_shown_and_survives_a_restart(shop: Shop) -> None:
    image = sample()
    shop.load(docker_archive((image, ["app:1"])))
    assert shop.images.inspect("app:1").last_used_ns == 0

    async def use() -> None:
        shop.images.used(image.id)
        shop.images.used("sha256:" + "0" * 64)  # removed by force from under its container
        await shop.images.tag("app:1", "app", "2")  # is written behind it

    run(use())
    seen = shop.images.inspect("app:1").last_used_ns
    assert seen > 0
    again = shop.reopened()
    assert again.images.inspect("app:2").last_used_ns == seen
    again.close()
