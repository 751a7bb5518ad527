"""Many clients at once."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.api import Api
from support.engine import Engine

pytestmark = pytest.mark.privileged

CLIENTS = 64


@pytest.mark.timeout(300)
def test_sixty_four_clients(engine: Engine) -> None:
    """Each creates, starts, waits for and removes containers; every request is answered."""

    def work(number: int) -> list[int]:
        client, codes = Api(engine.socket, timeout=120), []
        for turn in range(2):
            name = f"crowd-{number}-{turn}"
            client.create(name, Cmd=["sh", "-c", f"echo {name}; exit {number}"])
            client.start(name)
            codes.append(client.wait(name))
            assert client.logs(name) == f"{name}\n".encode()
            client.remove(name)
        return codes

    with ThreadPoolExecutor(CLIENTS) as pool:
        results = list(pool.map(work, range(CLIENTS)))
    assert results == [[number, number] for number in range(CLIENTS)]
    assert engine.api.get("/containers/json", all=1).json() == []


@pytest.mark.timeout(300)
def test_clients_that_fight_over_the_same_containers(engine: Engine) -> None:
    """Whatever the order, each answer is one that Docker gives, and nothing hangs."""
    names = ["red", "green", "blue"]
    allowed = {200, 201, 204, 304, 404, 409}
    surprises: list[str] = []
    lock = threading.Lock()

    def work(seed: int) -> None:
        chooser, client = random.Random(seed), Api(engine.socket, timeout=60)
        for _ in range(12):
            name, what = chooser.choice(names), chooser.randrange(5)
            if what == 0:
                body = {
                    "Image": "busybox",
                    "Cmd": ["sleep", "1000"],
                    "HostConfig": {"NetworkMode": "none"},
                }
                reply = client.post("/containers/create", body, name=name)
            elif what == 1:
                reply = client.post(f"/containers/{name}/start")
            elif what == 2:
                reply = client.post(f"/containers/{name}/kill")
            elif what == 3:
                reply = client.get(f"/containers/{name}/json")
            else:
                reply = client.delete(f"/containers/{name}", force=1)
            if reply.status not in allowed:
                with lock:
                    surprises.append(f"{what} {name}: {reply.status} {reply.message}")

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert surprises == []
