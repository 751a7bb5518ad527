"""What the API says of networks, in each of its versions, and what it makes of requests."""

import json
from urllib.parse import quote

import pytest

from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.requests import CreateNetwork, NetworkPrune, NetworkQuery, PoolRequest
from boxship.model.labels import LabelFilter
from support.fakenetworks import SHOP_ID

CONTAINERS = {
    "c" * 64: {
        "Name": "web",
        "EndpointID": "e" * 64,
        "MacAddress": "02:42:0a:09:00:80",
        "IPv4Address": "10.9.0.128/24",
        "IPv6Address": "fd00:9::2/64",
    }
}
SHOP = {
    "Name": "shop",
    "Id": SHOP_ID,
    "Created": "1970-01-01T00:00:00.000000001Z",
    "Scope": "local",
    "Driver": "bridge",
    "EnableIPv4": True,
    "EnableIPv6": True,
    "IPAM": {
        "Driver": "default",
        "Options": None,
        "Config": [
            {
                "Subnet": "10.9.0.0/24",
                "IPRange": "10.9.0.128/25",
                "Gateway": "10.9.0.1",
                "AuxiliaryAddresses": {"printer": "10.9.0.9"},
            },
            {"Subnet": "fd00:9::/64", "Gateway": "fd00:9::1"},
        ],
    },
    "Internal": False,
    "Attachable": False,
    "Ingress": False,
    "ConfigFrom": {"Network": ""},
    "ConfigOnly": False,
    "Options": {"a": "b"},
    "Labels": {},
}
STATUS = {"IPAM": {"Subnets": {"10.9.0.0/24": {"IPsInUse": 5, "DynamicIPsAvailable": 127}}}}


def without(name, document):
    return {key: value for key, value in document.items() if key != name}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.56", {**SHOP, "Containers": CONTAINERS, "Status": STATUS}),
        ("1.52", {**SHOP, "Containers": CONTAINERS, "Status": STATUS}),
        ("1.51", {**SHOP, "Containers": CONTAINERS}),
        ("1.47", {**without("EnableIPv4", SHOP), "Containers": CONTAINERS}),
    ],
)
def test_inspect(api, version, expected):
    assert api.client.json(f"/v{version}/networks/shop") == expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.56", SHOP),
        ("1.51", {**SHOP, "Containers": {}}),
        ("1.41", {**without("EnableIPv4", SHOP), "Containers": {}}),
        ("1.28", {**without("EnableIPv4", SHOP), "Containers": {}}),
        ("1.27", {**without("EnableIPv4", SHOP), "Containers": CONTAINERS}),
    ],
)
def test_list(api, version, expected):
    shop, none, host = api.client.json(f"/v{version}/networks")
    assert shop == expected
    assert (none["Driver"], host["Driver"]) == ("null", "host")
    assert none["IPAM"]["Config"] is None


def test_filters_go_to_the_engine(api):
    api.client.json(f"/networks?filters={quote(json.dumps({'name': ['a', 'b']}))}")
    assert api.networks.asked == [NetworkQuery({"name": ("a", "b")})]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("verbose=true", 200),
        ("verbose=x", 400),
        ("scope=local", 200),
        ("scope=swarm", 404),
    ],
)
def test_questions_of_inspect(api, query, status):
    assert api.client.request("GET", f"/networks/shop?{query}").status == status


def test_counters_are_for_who_asks_for_more(api):
    assert "Traffic" not in api.client.json("/networks/shop")
    traffic = api.client.json("/networks/shop?verbose=1")["Traffic"]
    assert (traffic["Total"]["rx_bytes"], traffic["Total"]["tx_bytes"]) == (15, 20)
    assert traffic["Containers"]["d" * 64]["rx_bytes"] == 5
    assert api.client.json("/networks/none?verbose=1")["Traffic"]["Total"]["rx_packets"] == 1


def test_create(api):
    body = {
        "Name": "n",
        "CheckDuplicate": True,
        "Driver": "bridge",
        "EnableIPv6": True,
        "IPAM": {
            "Driver": "default",
            "Options": {},
            "Config": [
                {"Subnet": "10.1.0.0/24", "AuxiliaryAddresses": {"a": "10.1.0.9"}},
                {"Subnet": "fd00::/64", "Gateway": None},
            ],
        },
        "ConfigFrom": {"Network": "template"},
        "Internal": True,
        "Options": {"x": "y"},
        "Labels": None,
    }
    answer = api.client.request("POST", "/v1.41/networks/create", json.dumps(body).encode())
    assert answer.status == 201
    assert json.loads(answer.body) == {"Id": SHOP_ID, "Warning": "mind the gap"}
    assert api.networks.asked == [
        CreateNetwork(
            "n",
            driver="bridge",
            enable_ipv6=True,
            internal=True,
            pools=(
                PoolRequest("10.1.0.0/24", aux={"a": "10.1.0.9"}),
                PoolRequest("fd00::/64"),
            ),
            ipam_driver="default",
            ipam_options={},
            options={"x": "y"},
            config_from="template",
        )
    ]


def test_remove_by_a_name_with_a_slash(api):
    assert api.client.request("DELETE", "/networks/a%2Fb%20c").status == 204
    assert api.networks.asked == [("remove", "a/b c")]


def test_prune(api):
    filters = quote(json.dumps({"label": ["a"], "label!": ["b"]}))
    answer = api.client.request("POST", f"/networks/prune?filters={filters}")
    assert json.loads(answer.body) == {"NetworksDeleted": ["shop"]}
    assert api.networks.asked == [NetworkPrune(None, LabelFilter(("a",), ("b",)))]


def post(api, path, body):
    return api.client.request("POST", path, json.dumps(body).encode())


def test_connect_and_disconnect(api):
    wish = {
        "IPAMConfig": {
            "IPv4Address": "10.5.0.9",
            "IPv6Address": "",
            "LinkLocalIPs": ["169.254.1.1"],
        },
        "Aliases": ["www"],
        "Links": ["db:d"],
        "MacAddress": "02:42:0a:05:00:09",
        "DriverOpts": {"a": "b"},
        "GwPriority": 7,
    }
    body = {"Container": "web", "EndpointConfig": wish}
    assert post(api, "/networks/shop/connect", body).status == 200
    body = {"Container": "web", "Force": True}
    assert post(api, "/networks/shop/disconnect", body).status == 200
    (verb, asked), other = api.containers.asked
    assert verb == "connect"
    assert asked == (
        "web",
        EndpointRecord(
            "",
            "shop",
            aliases=("www",),
            links=("db:d",),
            driver_opts={"a": "b"},
            mac_asked="02:42:0a:05:00:09",
            ipv4_asked="10.5.0.9",
            link_local=("169.254.1.1",),
            gw_priority=7,
        ),
    )
    assert other == ("disconnect", ("web", "shop"))
