"""A network that is removed while a container gets on it: one of the two is too late."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from support.lab import Lab

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

ROUNDS = 12
OUTCOMES = {(200, 403), (404, 204)}


def test_one_of_them_is_too_late_and_nothing_is_left(lab: Lab) -> None:
    api = lab.engine.api
    web = lab.run("web")
    before = lab.machine.state()
    with ThreadPoolExecutor(2) as clients:
        for number in range(ROUNDS):
            lab.network("shop")
            calls = {
                "connect": lambda: api.post("/networks/shop/connect", {"Container": "web"}),
                "remove": lambda: api.delete("/networks/shop"),
            }
            order = sorted(calls, reverse=number % 2 == 1)
            asked = {name: clients.submit(calls[name]) for name in order}
            connected, removed = (asked[name].result().status for name in ("connect", "remove"))
            assert (connected, removed) in OUTCOMES
            web.read()
            assert ("shop" in web.settings["Networks"]) is (connected == 200)
            if connected == 200:
                lab.docker("network", "disconnect", "shop", "web")
                lab.docker("network", "rm", "shop")
    lab.is_again(before)
