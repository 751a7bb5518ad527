"""Docker's daemon and ours, each on a machine of its own; both reach one registry."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from support.dockerd import Dockerd
from support.engine import Engine
from support.machines import Machine, World
from support.parity import contract
from support.parity.performing import Outcome, Performer
from support.parity.scenarios import Scenario
from support.programs import required
from support.registries import RegistryServer

T = TypeVar("T")

_TRIXIE: Final = Path(__file__).parents[3] / ".cache" / "trixie"
_REGISTRY: Final = 5000
_PRIVATE: Final = 5001
"""Ports; both machines have the same ones, so that names of images are the same."""
DEBIAN_13: Final = (_TRIXIE / "docker.io/usr/sbin", _TRIXIE / "containerd/usr/bin")
"""Where `scripts/setup` unpacks Docker's daemon of Debian 13, and what it starts; its runc needs
that release's C library, so this machine's runs the containers."""


class Side:
    """One of the two, and what was left in it by scenarios is taken away."""

    def __init__(self, engine: Engine, machine: Machine) -> None:
        self.engine = engine
        self.machine = machine
        around = {
            "registry": f"127.0.0.1:{_REGISTRY}",
            "private": f"127.0.0.1:{_PRIVATE}",
            "machine": machine.address,
            "home": str(engine.home),
        }
        newest = "" if isinstance(engine, Dockerd) else contract.VERSION
        self.performer = Performer(engine, machine.path, around, newest)
        (self._busybox,) = self._images()

    def run(self, scenario: Scenario) -> list[Outcome]:
        """Run a scenario, and clear up."""
        try:
            return self.performer.run(scenario)
        finally:
            self.clear()

    def clear(self) -> None:
        """Remove everything but busybox."""
        api = self.engine.api
        for container in api.get("/containers/json", all=1).json():
            api.remove(container["Id"])
        for network in api.get("/networks", filters='{"type":["custom"]}').json():
            api.delete(f"/networks/{network['Id']}")
        for volume in api.get("/volumes").json()["Volumes"] or ():
            api.delete(f"/volumes/{volume['Name']}", force=1)
        if list(self._images()) != [self._busybox]:
            self._clear_images()

    def _clear_images(self) -> None:
        api = self.engine.api
        before = list(self._images(all=1))
        while others := [row for row in self._images(all=1) if row[0] != self._busybox[0]]:
            # One with children can't go before these.
            gone = [api.delete(f"/images/{image[0]}", force=1).status == 200 for image in others]
            assert any(gone), f"images that can't be removed: {others} of {before}"
        self._tag_as_before()

    def _tag_as_before(self) -> None:
        identity, names = self._busybox
        api = self.engine.api
        now = dict(self._images())
        if identity not in now:
            self.engine.load("busybox")
            return
        if not now[identity]:
            api.post(f"/images/{identity}/tag", repo="busybox", tag="latest")
        for name in set(now[identity]) - set(names):
            api.delete(f"/images/{name}")

    def _images(self, **query: object) -> Iterator[tuple[str, tuple[str, ...]]]:
        for image in self.engine.api.get("/images/json", **query).json():
            yield image["Id"], tuple(sorted(image["RepoTags"] or ()))


class Pair:
    """Both sides, which do everything at the same time."""

    def __init__(self, dockerd: Side, boxshipd: Side) -> None:
        self.dockerd = dockerd
        self.boxshipd = boxshipd

    def run(self, scenario: Scenario) -> list[tuple[Outcome, Outcome]]:
        """Run a scenario on both; the outcomes of each step."""
        sides = (self.dockerd, self.boxshipd)
        left, right = _at_once(*(lambda side=side: side.run(scenario) for side in sides))
        return list(zip(left, right, strict=True))

    def faults(self) -> list[str]:
        """What of our answers so far is not as Docker's description has it, if that is there."""
        if not contract.PLACE.exists():
            return []
        found = contract.Contract()
        asked = self.boxshipd.performer.asked
        return sorted({f for m, p, a in asked for f in found.faults(m, p, a.status, a.body)})


@contextmanager
def pair() -> Iterator[Pair]:
    """Start both, with busybox; each has two registries for itself, on its own loopback."""
    required(str(DEBIAN_13[0] / "dockerd"))
    with ExitStack() as stack:
        world = stack.enter_context(World())
        machines = world.machine(), world.machine()
        for machine in machines:
            for registry in (
                RegistryServer(port=_REGISTRY),
                RegistryServer(port=_PRIVATE, users={"me": "secret"}),
            ):
                machine.inside(registry.start)
                stack.callback(registry.__exit__, None, None, None)
        engines: tuple[Engine, Engine] = (
            Dockerd(namespace=machines[0].path, programs=DEBIAN_13),
            Engine(namespace=machines[1].path),
        )
        for engine in engines:
            stack.callback(engine.close)
        _at_once(*(lambda engine=engine: _begin(engine) for engine in engines))
        sides = (Side(e, m) for e, m in zip(engines, machines, strict=True))
        yield Pair(*sides)


def _begin(engine: Engine) -> None:
    engine.start()
    engine.load("busybox")


def _at_once(*actions: Callable[[], T]) -> list[T]:
    with ThreadPoolExecutor(len(actions)) as pool:
        return [future.result() for future in [pool.submit(action) for action in actions]]
