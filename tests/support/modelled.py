"""A small model of an engine: what each call answers, and what there is afterwards; pure.

It knows containers, networks and volumes by name, and of a container no more than decides about
answers. Programs: ``sleep`` runs until it is ended; ``fail`` ends at once with code 3.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    EXITED = "exited"


@dataclass
class Container:
    program: str
    policy: str
    """``no``, ``always`` or ``on-failure`` (once)."""
    networks: set[str]
    volume: str
    state: State = State.CREATED
    deaths: int = 0

    @property
    def alive(self) -> bool:
        return self.state in (State.RUNNING, State.PAUSED)


@dataclass
class Model:
    containers: dict[str, Container] = field(default_factory=dict)
    networks: set[str] = field(default_factory=set)
    volumes: set[str] = field(default_factory=set)

    # ── containers ───────────────────────────────────────────────────────────────────────────

    def create(self, name: str, made: Container) -> int:
        if name in self.containers:
            return 409
        self.containers[name] = made
        self.volumes |= {made.volume} - {""}
        return 201

    def start(self, name: str) -> int:
        found = self.containers.get(name)
        if found is None:
            return 404
        if found.state is State.PAUSED:
            return 409
        return 304 if found.alive else self._launch(found)

    def stop(self, name: str) -> int:
        found = self.containers.get(name)
        if found is None:
            return 404
        if not found.alive:
            return 304
        found.state = State.EXITED
        return 204

    def kill(self, name: str) -> int:
        return 409 if (status := self.stop(name)) == 304 else status

    def restart(self, name: str) -> int:
        found = self.containers.get(name)
        return 404 if found is None else self._launch(found)

    def die(self, name: str) -> None:
        """Somebody else kills it."""
        found = self.containers[name]
        found.deaths += 1
        found.state = State.EXITED if found.policy == "no" else State.RUNNING

    def pause(self, name: str) -> int:
        return self._step(name, State.RUNNING, State.PAUSED)

    def unpause(self, name: str) -> int:
        return self._step(name, State.PAUSED, State.RUNNING)

    def exec(self, name: str) -> int:
        found = self.containers.get(name)
        if found is None:
            return 404
        return 201 if found.state is State.RUNNING else 409

    def rename(self, name: str, new: str) -> int:
        if name not in self.containers:
            return 404
        if new in self.containers:
            return 409
        self.containers[new] = self.containers.pop(name)
        return 204

    def remove(self, name: str, *, force: bool) -> int:
        found = self.containers.get(name)
        if found is None:
            return 404
        if found.alive and not force:
            return 409
        del self.containers[name]
        return 204

    def _launch(self, found: Container) -> int:
        if not found.networks <= self.networks:
            found.state = State.EXITED if found.state is not State.CREATED else State.CREATED
            return 404
        found.state = State.RUNNING if found.program == "sleep" else State.EXITED
        return 204

    def _step(self, name: str, before: State, after: State) -> int:
        found = self.containers.get(name)
        if found is None:
            return 404
        if found.state is not before:
            return 409
        found.state = after
        return 204

    # ── networks and volumes ─────────────────────────────────────────────────────────────────

    def connect(self, network: str, name: str) -> int:
        found = self.containers.get(name)
        if found is None or network not in self.networks:
            return 404
        if network in found.networks and found.alive:
            return 403  # of one that does not run it is no more than a change of its record
        found.networks.add(network)
        return 200

    def make_network(self, name: str) -> int:
        if name in self.networks:
            return 409
        self.networks.add(name)
        return 201

    def remove_network(self, name: str) -> int:
        if name not in self.networks:
            return 404
        if any(c.alive and name in c.networks for c in self.containers.values()):
            return 403
        self.networks.discard(name)
        return 204

    def make_volume(self, name: str) -> int:
        self.volumes.add(name)
        return 201

    def remove_volume(self, name: str) -> int:
        if name not in self.volumes:
            return 404
        if any(c.volume == name for c in self.containers.values()):
            return 409
        self.volumes.discard(name)
        return 204
