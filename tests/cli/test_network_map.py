"""``network map``: what is drawn, in any width."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.cli.format.networkmap import ASCII, NARROWEST, draw
from boxship.cli.format.networkpicture import DrawnNetwork, Station, picture

NETWORKS = [
    {"Name": "none", "Id": "0" * 64, "Driver": "null", "IPAM": {"Config": None}},
    {
        "Name": "backend", "Id": "b" * 64, "Driver": "bridge", "Internal": True,
        "IPAM": {"Config": [{"Subnet": "172.18.0.0/16", "Gateway": "172.18.0.1"}]},
        "Options": {"com.docker.network.bridge.enable_icc": "false"},
    },
    {
        "Name": "bridge", "Id": "a" * 64, "Driver": "bridge",
        "IPAM": {"Config": [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]},
        "Options": {"com.docker.network.bridge.name": "boxship0"},
    },
]  # fmt: skip
CONTAINERS = [
    {
        "Id": "1" * 64, "Names": ["/web", "/other/link"], "Image": "nginx", "State": "running",
        "Ports": [
            {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
            {"PrivatePort": 9, "Type": "udp"},
        ],
        "HostConfig": {"NetworkMode": "bridge", "Egress": ["allow=10.0.0.0/8:443"]},
        "NetworkSettings": {"Networks": {
            "backend": {"IPAddress": "172.18.0.2", "Aliases": ["www"]},
            "bridge": {"IPAddress": "172.17.0.2", "Gateway": "172.17.0.1"},
        }},
    },
    {
        "Id": "2" * 64, "Names": ["/db10"], "State": "exited", "HostConfig": {},
        "NetworkSettings": {"Networks": {"backend": {"IPAddress": ""}}},
    },
    {
        "Id": "3" * 64, "Names": ["/side"], "State": "running",
        "HostConfig": {"NetworkMode": "container:" + "1" * 64},
        "NetworkSettings": {"Networks": {}},
    },
]  # fmt: skip

WIDE = """\
◆ bridge  bridge  172.17.0.0/16  gateway 172.17.0.1  boxship0
└─● web  172.17.0.2  0.0.0.0:8080->80/tcp
      also on backend
      shared with side
      egress allow=10.0.0.0/8:443

◆ backend  bridge  172.18.0.0/16  gateway 172.18.0.1  br-bbbbbbbbbbbb
│  ! internal: no way out or in
│  ! containers cannot reach one another
├─○ db10  exited
└─● web           172.18.0.2
      also called www
      also on bridge
      shared with side
      egress allow=10.0.0.0/8:443

◆ none  null
"""
NARROW = """\
# bridge  bridge
|   172.17.0.0/16
|   gateway 172.17.0.1
|   boxship0
`-* web  172.17.0.2
        0.0.0.0:8080->80/tcp
      also on backend
      shared with side
      egress
        allow=10.0.0.0/8:443
"""


def test_wide() -> None:
    assert draw(picture(NETWORKS, CONTAINERS), width=100) == WIDE


def test_narrow_and_without_unicode() -> None:
    assert draw(picture(NETWORKS, CONTAINERS, ["bridge"]), width=30, signs=ASCII) == NARROW


_word = st.text("ab -.,/:", min_size=1, max_size=60)
_words = st.lists(_word, max_size=3).map(tuple)
_stations = st.builds(
    Station, _word, _word, _word, st.sampled_from(["running", "exited"]), _words, _words, _words
)
_networks = st.builds(
    DrawnNetwork, _word, _word, _word, _word, _words, _words, _words,
    st.lists(_stations, max_size=3).map(tuple),
)  # fmt: skip


@given(st.lists(_networks, max_size=2), st.integers(0, 120))
def test_no_line_is_too_long(networks: list[DrawnNetwork], width: int) -> None:
    for line in draw(networks, width=width).splitlines():
        assert len(line) <= max(width, NARROWEST)


@pytest.fixture
def daemon(recorder) -> None:
    recorder.answers["GET /networks"] = (200, json.dumps(NETWORKS))
    recorder.answers["GET /containers/json"] = (200, json.dumps(CONTAINERS))


@pytest.mark.usefixtures("daemon")
def test_the_verb(ours, recorder) -> None:
    utf8 = {"PYTHONIOENCODING": "utf-8"}
    assert ours("network", "map", "--width", "100", **utf8).out == WIDE
    assert [one.target for one in recorder.take()] == ["/v1.50/networks", "/v1.50/containers/json"]
    assert ours("network", "map", COLUMNS="100", **utf8).out == WIDE
    plain = ours("network", "map", "--width", "30", "bridge", PYTHONIOENCODING="ascii")
    assert plain.out == NARROW
    ours("network", "map", "-a")
    assert recorder.take()[-1].target.endswith("/containers/json?all=1")


@pytest.mark.usefixtures("daemon")
def test_json(ours) -> None:
    drawn = json.loads(ours("network", "map", "--format", "json").out)

    assert [network["name"] for network in drawn] == ["bridge", "backend", "none"]
    (web,) = drawn[0]["stations"]
    assert web["addresses"] == ["172.17.0.2"]
    assert web["ports"] == ["0.0.0.0:8080->80/tcp"]
    assert drawn[1]["stations"][1]["ports"] == [], "they lead to the other network"


@pytest.mark.usefixtures("daemon")
def test_what_cannot_be_drawn(ours) -> None:
    missing = ours("network", "map", "--width", "80", "nix", "none")
    assert missing.code == 1
    assert missing.err == "Error: No such network: nix\n"
    assert "none" in missing.out
    assert ours("network", "map", "--format", "yaml").code == 1
