"""Records of containers from before there were endpoints, and endpoints that come and go."""

import msgspec

from boxship.engine.containers.record import ContainerRecord, decode_record, encode_record
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.record import predefined_id
from boxship.model.container import ContainerConfig, HostConfig


def record(**fields: object) -> ContainerRecord:
    made = ContainerRecord("a" * 64, "c", 1, "", "sh", (), ContainerConfig(), HostConfig())
    return msgspec.structs.replace(made, **fields)


def test_names_of_networks_in_an_older_record_become_endpoints():
    older = msgspec.json.decode(encode_record(record()))
    del older["endpoints"]
    older["networks"] = ["none"]
    read = decode_record(msgspec.json.encode(older))
    assert read.endpoints == (EndpointRecord(predefined_id("none"), "none"),)
    assert read.networks == ("none",)


def test_a_record_is_read_as_it_was_written():
    endpoint = EndpointRecord("1" * 64, "web", aliases=("a",), ipv4="172.18.0.2/16")
    written = record(endpoints=(endpoint,))
    assert decode_record(encode_record(written)) == written


def test_unplugging_keeps_what_was_asked():
    asked = EndpointRecord("1" * 64, "web", aliases=("a",), ipv4_asked="172.18.0.9", gw_priority=3)
    plugged = msgspec.structs.replace(
        asked,
        endpoint_id="e",
        interface="eth0",
        host_interface="veth1",
        mac="02:42:ac:12:00:09",
        ipv4="172.18.0.9/16",
        gateway="172.18.0.1",
        ipv6="fd00::2/64",
        ipv6_gateway="fd00::1",
    )
    assert plugged.plugged
    assert plugged.unplugged() == asked
    assert not asked.plugged
