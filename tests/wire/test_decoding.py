"""Request bodies are read as Go reads them, and wrong types are named."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.base.errors import InvalidArgumentError
from boxship.model.container import HostConfig, Mount, PortBinding
from boxship.wire.containers import CreateBody, ExecStartBody
from boxship.wire.creation import creation_of
from boxship.wire.decoding import decode_body
from boxship.wire.versions import ApiVersion


def body(**members):
    return decode_body(msgspec.json.encode(members), CreateBody)


def test_names_match_without_regard_to_case_and_the_exact_one_wins():
    assert body(image="a", hostconfig={"MEMORY": 5}).host_config.memory == 5
    assert body(image="a", Image="b").image == "b"
    assert body(Image="b", image="a").image == "b"


def test_null_is_absent_at_every_depth():
    read = body(
        Image="a", Hostname=None, Env=None, HostConfig={"Memory": None, "LogConfig": {"Type": None}}
    )
    assert read.hostname == ""
    assert read.host_config == HostConfig()
    assert decode_body(b"null", ExecStartBody) == ExecStartBody()


def test_null_members_of_maps_are_zero_values():
    read = body(
        ExposedPorts={"80/tcp": None}, Volumes={"/v": None}, Labels={"a": None},
        HostConfig={"PortBindings": {"80/tcp": None, "81/tcp": [{"hostport": "1"}]}},
    )  # fmt: skip
    assert read.exposed_ports == {"80/tcp": {}}
    assert read.volumes == {"/v": {}}
    assert read.labels == {"a": ""}
    assert read.host_config.port_bindings["81/tcp"] == (PortBinding(host_port="1"),)


def test_unknown_members_are_ignored():
    assert body(Image="a", Future={"x": 1}).image == "a"


@pytest.mark.parametrize("name", ["Cmd", "Entrypoint", "Shell"])
def test_one_word_for_a_list(name):
    assert getattr(body(**{name: "sh"}), name.lower()) == ("sh",)
    assert getattr(body(**{name: ["sh", "-c"]}), name.lower()) == ("sh", "-c")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"Image": 5}, "Image: Expected str, got int"),
        ({"Env": "a=b"}, "Env: Expected array, got str"),
        ({"HostConfig": {"Mounts": [{"ReadOnly": "yes"}]}}, "HostConfig.Mounts[0].ReadOnly"),
        ({"HostConfig": []}, "HostConfig: Expected object"),
    ],
)
def test_wrong_types_name_their_field(members, message):
    with pytest.raises(InvalidArgumentError) as caught:
        body(**members)
    assert str(caught.value).startswith(f"invalid JSON: {message}")


@pytest.mark.parametrize("data", [b"", b" \n", b"{", b'{"Image":"a"} x', b"\xff", b"[" * 100_000])
def test_what_is_no_json(data):
    with pytest.raises(InvalidArgumentError, match=r"^invalid JSON: "):
        decode_body(data, CreateBody)


def test_config_and_host_config_are_taken_apart_without_loss():
    read = body(
        Image="a", Tty=True, StopTimeout=3, Healthcheck={"Test": ["NONE"]},
        HostConfig={"Mounts": [{"Type": "tmpfs", "Target": "/t"}], "PidsLimit": 5},
    )  # fmt: skip
    asked = creation_of(read, ApiVersion(56), unified_cgroups=True)
    config, host = asked.config, asked.host
    assert (config.image, config.tty, config.stop_timeout) == ("a", True, 3)
    assert config.healthcheck.test == ("NONE",)
    assert host.mounts == (Mount(type="tmpfs", target="/t"),)
    assert host.pids_limit == 5


numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)
names = st.sampled_from(
    ["Image", "cmd", "HostConfig", "NetworkingConfig", "Mounts", "Labels", "Ulimits", "Type"]
)


@given(st.dictionaries(names, json_values | st.dictionaries(names, json_values)))
def test_no_body_is_worse_than_an_error(members):
    try:
        decode_body(msgspec.json.encode(members), CreateBody)
    except InvalidArgumentError as error:
        assert str(error).startswith("invalid JSON: ")
