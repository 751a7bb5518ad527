"""What makes no sense is refused with Docker's status, and leaves nothing half-made.

Where dockerd 20.10 says 500 to a client's mistake, later versions say 400; both will do.
"""

import json
from typing import Any

import pytest

from support.lab import Lab

pytestmark = pytest.mark.privileged

MISTAKE = (400, 500)


def pool(subnet: str, **more: object) -> dict[str, Any]:
    return {"IPAM": {"Driver": "default", "Config": [{"Subnet": subnet, **more}]}}


@pytest.mark.parametrize(
    ("status", "words", "body"),
    [
        ((409,), "shop already exists", {"Name": "shop", "CheckDuplicate": True}),
        (MISTAKE, "name", {"Name": ""}),
        ((403,), "predefined", {"Name": "bridge"}),
        ((403,), "predefined", {"Name": "host", "Driver": "host"}),
        ((404,), "nope", {"Driver": "nope"}),
        ((403,), "only one instance", {"Driver": "host"}),
        ((403,), "only one instance", {"Driver": "null"}),
        ((403,), "overlap", pool("10.77.0.0/16")),
        (MISTAKE, "10.9.0.0", pool("10.9.0.0")),
        (MISTAKE, "nonsense", pool("nonsense")),
        (MISTAKE, "10.9.0.0/33", pool("10.9.0.0/33")),
        (MISTAKE, "10.10.0.1", pool("10.9.0.0/24", Gateway="10.10.0.1")),
        (MISTAKE, "nope", pool("10.9.0.0/24", Gateway="nope")),
        ((403, 400), "10.10.0.1", pool("10.9.0.0/24", AuxiliaryAddresses={"a": "10.10.0.1"})),
        ((404, 400), "nope", {"IPAM": {"Driver": "nope"}}),
        (MISTAKE, "subnet", {"IPAM": {"Config": [{"Gateway": "10.9.0.1"}]}}),
        (MISTAKE, "enable_icc", {"Options": {"com.docker.network.bridge.enable_icc": "maybe"}}),
        (MISTAKE, "mtu", {"Options": {"com.docker.network.driver.mtu": "big"}}),
        (MISTAKE, "", {"Options": {"com.docker.network.bridge.name": "much-too-long-a-name"}}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_creating_a_network(
    lab: Lab, status: tuple[int, ...], words: str, body: dict[str, Any]
) -> None:
    lab.network("shop", "--subnet=10.77.0.0/24")
    before = lab.machine.interfaces()
    reply = lab.engine.api.post("/networks/create", {"Name": "new", **body})
    assert reply.status in status, reply.body
    assert words.lower() in reply.message.lower()
    lab.has_no_more_than(before)
    names = [found["Name"] for found in lab.engine.api.get("/networks").json()]
    assert sorted(names) == ["bridge", "host", "none", "shop"]


def test_connecting(lab: Lab) -> None:
    lab.network("shop", "--subnet=10.77.0.0/24")
    lab.network("free")
    web, plain = lab.run("web", "--network=shop"), lab.run("plain")
    free = lab.inspect_network("free")["IPAM"]["Config"][0]["Subnet"].replace("0.0/", "0.77/")

    def wish(container: str, **ipam: str) -> dict[str, Any]:
        return {"Container": container, "EndpointConfig": {"IPAMConfig": ipam}}

    table: list[tuple[str, dict[str, Any], tuple[int, ...], str]] = [
        ("nope/connect", wish("web"), (404,), "network nope not found"),
        ("shop/connect", wish("nope"), (404,), "No such container: nope"),
        ("shop/connect", wish("web"), (403,), "already exists in network shop"),
        ("host/connect", wish("web"), (400,), "host network"),
        ("none/connect", wish("web"), (400,), "none"),
        ("free/disconnect", wish("web"), MISTAKE, "is not connected to"),
        ("nope/disconnect", wish("web"), (404,), "network nope not found"),
        ("shop/disconnect", wish("nope"), (404,), "No such container: nope"),
        ("shop/connect", wish("plain", IPv4Address="10.99.0.5"), MISTAKE, "10.99.0.5"),
        ("shop/connect", wish("plain", IPv4Address="nope"), MISTAKE, "nope"),
        ("shop/connect", wish("plain", IPv4Address=web.address()), (403,), "already in use"),
        ("shop/connect", wish("plain", IPv4Address="10.77.0.1"), (400, 403), ""),
        ("free/connect", wish("plain", IPv4Address=free.partition("/")[0]), (400,), "subnets"),
        ("bridge/connect", wish("web", IPv4Address="172.17.0.9"), (400,), "user defined"),
    ]
    for path, body, status, words in table:
        reply = lab.engine.api.post(f"/networks/{path}", body)
        assert reply.status in status, (path, body, reply.body)
        assert words in reply.message
    if not lab.is_dockerd:  # which keeps an endpoint of a connect that it refused
        assert list(lab.inspect("plain")["NetworkSettings"]["Networks"]) == ["bridge"]
    assert list(lab.inspect("web")["NetworkSettings"]["Networks"]) == ["shop"]
    assert sorted(plain.interfaces()) == sorted(web.interfaces()) == ["eth0", "lo"]


@pytest.mark.parametrize(
    ("words", "config"),
    [
        ("nope", {"HostConfig": {"NetworkMode": "nope"}}),
        ("nope", {"HostConfig": {"NetworkMode": "container:nope"}}),
        ("network mode", {"HostConfig": {"NetworkMode": "container:"}}),
        ("hostname", {"HostConfig": {"NetworkMode": "container:web"}, "Hostname": "x"}),
        ("dns", {"HostConfig": {"NetworkMode": "container:web", "Dns": ["1.1.1.1"]}}),
        ("links", {"HostConfig": {"NetworkMode": "container:web", "Links": ["web:w"]}}),
        ("links", {"HostConfig": {"NetworkMode": "host", "Links": ["web:w"]}}),
        ("nope", {"HostConfig": {"NetworkMode": "bridge", "Links": ["nope:w"]}}),
        ("a:b:c", {"HostConfig": {"NetworkMode": "bridge", "Links": ["a:b:c"]}}),
        ("web", {"HostConfig": {"NetworkMode": "bridge", "Links": ["web:w"]}}),
        ("nonsense", {"HostConfig": {"NetworkMode": "bridge"}, "MacAddress": "nonsense"}),
        ("nope", {"HostConfig": {"NetworkMode": "bridge", "ExtraHosts": ["nope"]}}),
        ("nope", {"HostConfig": {"NetworkMode": "bridge", "ExtraHosts": ["a:nope"]}}),
        (
            "port",
            {"HostConfig": {"NetworkMode": "shop", "PortBindings": {"x/tcp": [{"HostPort": "1"}]}}},
        ),
        (
            "port",
            {
                "HostConfig": {
                    "NetworkMode": "shop", "PortBindings": {"80/tcp": [{"HostPort": "x"}]},
                }
            },
        ),
        (
            "user defined",
            {
                "HostConfig": {"NetworkMode": "bridge"},
                "NetworkingConfig": {"EndpointsConfig": {"bridge": {"Aliases": ["x"]}}},
            },
        ),
        (
            "user defined",
            {
                "HostConfig": {"NetworkMode": "bridge"},
                "NetworkingConfig": {
                    "EndpointsConfig": {"bridge": {"IPAMConfig": {"IPv4Address": "172.17.0.9"}}}
                },
            },
        ),
        (
            "10.99.0.1",
            {
                "HostConfig": {"NetworkMode": "shop"},
                "NetworkingConfig": {
                    "EndpointsConfig": {"shop": {"IPAMConfig": {"IPv4Address": "10.99.0.1"}}}
                },
            },
        ),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, str) else json.dumps(value)[:60],
)  # fmt: skip
def test_containers_that_cannot_be(lab: Lab, words: str, config: dict[str, Any]) -> None:
    """Refused when they are made, or at the latest when they start."""
    lab.network("shop", "--subnet=10.77.0.0/24")
    lab.run("web", "--network=shop")
    before = lab.machine.interfaces()
    reply = lab.engine.api.post(
        "/containers/create", {"Image": "busybox", "Cmd": ["sleep", "1000"], **config}, name="wrong"
    )
    if reply.status == 201:
        reply = lab.engine.api.post("/containers/wrong/start")
    assert reply.status in (400, 404, 500), reply.body
    assert words.lower() in reply.message.lower()
    lab.has_no_more_than(before)


def test_addresses_that_are_used_up(lab: Lab) -> None:
    """The words name the network; an address that is given back can be had again."""
    lab.network("small", "--subnet=10.77.0.0/29")
    boxes = [lab.run(f"box{number}", "--network=small") for number in range(5)]
    said = lab.refused("run", "-d", "--name=more", "--network=small", "busybox", "sleep", "1000")
    assert "no available IPv4 addresses" in said
    assert "small" in said
    boxes[2].remove()
    lab.docker("start", "more")
    assert lab.box("more").address() == boxes[2].address()


def test_networks_that_cannot_be_removed(lab: Lab) -> None:
    """In use, predefined, unknown."""
    lab.network("shop")
    lab.run("web", "--network=shop")
    for name, status, words in (
        ("shop", 403, "has active endpoints"),
        ("bridge", 403, "pre-defined network and cannot be removed"),
        ("nope", 404, "network nope not found"),
    ):
        reply = lab.engine.api.delete(f"/networks/{name}")
        assert (reply.status, words in reply.message) == (status, True), reply.body
    assert lab.inspect_network("shop")["Containers"]


def test_filters_that_there_are_not(lab: Lab) -> None:
    for path, filters, statuses in (
        ("/networks", '{"nope":["x"]}', (400,)),
        ("/networks", '{"type":["x"]}', MISTAKE),
        ("/networks", '{"dangling":["x"]}', (400,)),
    ):
        assert lab.engine.api.get(path, filters=filters).status in statuses
    for filters, statuses in (('{"nope":["x"]}', (400,)), ('{"until":["x"]}', MISTAKE)):
        reply = lab.engine.api.post("/networks/prune", filters=filters)
        assert reply.status in statuses, reply.body
