"""What network and IPAM plugins answer is checked before anything is done with it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from boxship.plugin.client import PluginClient
from boxship.plugin.endpoint import Endpoint
from boxship.plugin.errors import PluginNonsenseError, PluginRefusedError
from boxship.plugin.ipam import IpamDriver
from boxship.plugin.network import EndpointInterface, NetworkDriver, SkippedGateways
from support.fakeplugin import FakePlugin, serving

Ask = Callable[[Any], Awaitable[Any]]
SPACES = {"IpamDriver.GetDefaultAddressSpaces": lambda _: {"LocalDefaultAddressSpace": "here"}}


@contextmanager
def driver(
    tmp_path: Path, kind: type[Any], answers: dict[str, Any]
) -> Iterator[tuple[Any, FakePlugin]]:
    path = str(tmp_path / "p.sock")
    with serving(path, "x", {k: (lambda _, v=v: v) for k, v in answers.items()} | SPACES) as served:
        yield kind(PluginClient("p", Endpoint(path=path))), served


def asked(tmp_path: Path, kind: type[Any], answers: dict[str, Any], question: Ask) -> Any:
    with driver(tmp_path, kind, answers) as (asking, _):
        return asyncio.run(question(asking))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"InterfaceName": {"SrcName": "../../x"}}, "no interface's name"),
        ({"InterfaceName": {"SrcName": "a" * 16}}, "no interface's name"),
        ({"InterfaceName": {"SrcName": "v0", "DstPrefix": "p" * 13}}, "no interface's name"),
        ({"Gateway": "10.0.0.1/24"}, "10.0.0.1/24"),
        ({"GatewayIPv6": "here"}, "here"),
        ({"StaticRoutes": [{"Destination": "nowhere", "RouteType": 1}]}, "nowhere"),
        ({"StaticRoutes": [{"Destination": "10.0.0.0/8", "RouteType": 0}]}, "''"),
        ({"InterfaceName": "eth0"}, "Expected `object`"),
    ],
)
def test_a_join_that_makes_no_sense(tmp_path: Path, answer: Any, words: str) -> None:
    with pytest.raises(PluginNonsenseError, match="plugin p answers NetworkDriver") as caught:
        asked(
            tmp_path,
            NetworkDriver,
            {"NetworkDriver.Join": answer},
            lambda d: d.join("n", "e", "/sandbox", {}),
        )
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("has", "answer", "words"),
    [
        (EndpointInterface("10.0.0.2/24"), {"Address": "10.0.0.3/24"}, "it changes address"),
        (EndpointInterface(mac_address="02:00:00:00:00:01"), {"MacAddress": "x"}, "mac_address"),
        (EndpointInterface(), {"Address": "soon"}, "soon"),
    ],
)
def test_an_endpoint_that_makes_no_sense(
    tmp_path: Path, has: EndpointInterface, answer: Any, words: str
) -> None:
    with pytest.raises(PluginNonsenseError) as caught:
        asked(
            tmp_path,
            NetworkDriver,
            {"NetworkDriver.CreateEndpoint": {"Interface": answer}},
            lambda d: d.create_endpoint("n", "e", {}, has),
        )
    assert words in str(caught.value)


def test_calls_that_not_every_driver_knows(tmp_path: Path) -> None:
    async def all_of_them(asking: NetworkDriver) -> dict[str, Any]:
        await asking.program("n", "e", {})
        await asking.revoke("n", "e")
        await asking.discovered(1, {"Address": "192.0.2.1", "Self": True})
        await asking.discovered(1, {"Address": "192.0.2.1"}, gone=True)
        return await asking.operational_info("n", "e")

    with driver(tmp_path, NetworkDriver, {}) as (asking, served):
        assert asyncio.run(all_of_them(asking)) == {}
    assert [method.partition(".")[2] for method in served.methods()] == [
        "ProgramExternalConnectivity",
        "RevokeExternalConnectivity",
        "DiscoverNew",
        "DiscoverDelete",
        "EndpointOperInfo",
    ]


def test_one_that_knows_and_refuses_is_heard(tmp_path: Path) -> None:
    answers = {"NetworkDriver.ProgramExternalConnectivity": {"Err": "port 80 is taken"}}
    with pytest.raises(PluginRefusedError, match="port 80 is taken"):
        asked(tmp_path, NetworkDriver, answers, lambda d: d.program("n", "e", {}))


@pytest.mark.parametrize(
    ("capabilities", "found"),
    [
        ({"Scope": "local"}, SkippedGateways()),
        ({"Scope": "local", "GwAllocChecker": True}, SkippedGateways(ipv4=True)),
    ],
)
def test_who_wants_to_be_asked_about_gateways_is(
    tmp_path: Path, capabilities: Any, found: SkippedGateways
) -> None:
    answers = {
        "NetworkDriver.GetCapabilities": capabilities,
        "NetworkDriver.GwAllocCheck": {"SkipIPv4": True},
    }
    assert asked(tmp_path, NetworkDriver, answers, lambda d: d.gateways_skipped({})) == found


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"PoolID": "1", "Pool": "here"}, "'here' is no subnet"),
        ({"PoolID": "1", "Pool": "10.0.0.1/24"}, "no subnet"),
        ({"PoolID": "1", "Pool": "fd00::/64"}, "the other version of IP"),
        ({"PoolID": 1, "Pool": "10.0.0.0/24"}, "Expected `str`"),
    ],
)
def test_a_pool_that_makes_no_sense(tmp_path: Path, answer: Any, words: str) -> None:
    with pytest.raises(PluginNonsenseError) as caught:
        asked(
            tmp_path,
            IpamDriver,
            {"IpamDriver.RequestPool": answer},
            lambda d: d.request_pool("", "", {}, ipv6=False),
        )
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "answer", "words"),
    [
        ("", "10.0.0.5", "lacks its prefix"),
        ("", "soon", "'soon' is no address"),
        ("10.0.0.9", "10.0.0.5/24", "asked for 10.0.0.9, it is 10.0.0.5"),
    ],
)
def test_an_address_that_makes_no_sense(
    tmp_path: Path, wanted: str, answer: str, words: str
) -> None:
    with pytest.raises(PluginNonsenseError) as caught:
        asked(
            tmp_path,
            IpamDriver,
            {"IpamDriver.RequestAddress": {"Address": answer}},
            lambda d: d.request_address("1", wanted, {}),
        )
    assert words in str(caught.value)
