"""The range of versions, their place in paths, and what older answers look like."""

import os
import re

import msgspec
import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.model.event import Event, EventType
from boxship.wire import containers, images, jsonstream, networks, system, versions
from boxship.wire.adapt import adapted, adapted_list
from boxship.wire.events import EventFilter, encode_event
from boxship.wire.images import ImageRow


def test_paths():
    assert versions.split_path("/v1.41/info") == ("1.41", "/info")
    assert versions.split_path("/info") == (None, "/info")
    assert versions.split_path("/volumes") == (None, "/volumes")
    assert versions.split_path("/v1.41") == (None, "/v1.41")
    assert versions.split_path("/v1.41x/info") == (None, "/v1.41x/info")


def test_range():
    assert versions.parse(None) == 56
    assert versions.parse("1.24") == 24
    assert versions.parse("1.56") == 56
    for bad in ("1.57", "2.0", "1.23", "0.99", "1", "1.2.3", "."):
        with pytest.raises(InvalidArgumentError):
            versions.parse(bad)


def test_compose_of_old_gets_what_it_knows():
    old = "docker-compose/1.29.2 docker-py/5.0.3 Linux/6.1"
    assert versions.understood(versions.NEWEST, old) == 41
    assert versions.understood(versions.ApiVersion(30), old) == 30
    for agent in ("docker-compose/2.26.1", "docker-sdk-python/7.1.0", "compose/v2.26.1", ""):
        assert versions.understood(versions.NEWEST, agent) == versions.NEWEST


ROW = ImageRow("sha256:a", "", (), (), 1, 2, -1, None, -1)


def decoded(row, version):
    return msgspec.json.decode(adapted(row, versions.ApiVersion(version)))


def test_images_of_older_versions():
    assert "VirtualSize" not in decoded(ROW, 44)
    assert decoded(ROW, 43)["VirtualSize"] == 2
    assert decoded(ROW, 43)["RepoTags"] == []
    assert decoded(ROW, 42)["RepoTags"] == ["<none>:<none>"]
    (row,) = msgspec.json.decode(adapted_list([ROW], versions.ApiVersion(40)))
    assert row["VirtualSize"] == 2
    assert adapted_list([], versions.ApiVersion(40)) == b"[]"


def test_every_version_can_be_made_of_every_change():
    for number in range(versions.OLDEST, versions.NEWEST + 1):
        assert decoded(ROW, number)["Id"] == "sha256:a"


def test_events_by_version():
    event = Event(EventType.CONTAINER, "start", "c1", {"image": "busybox", "name": "web"}, 5)
    new = msgspec.json.decode(encode_event(event, versions.ApiVersion(52)))
    assert set(new) == {"Type", "Action", "Actor", "scope", "timeNano"}
    old = msgspec.json.decode(encode_event(event, versions.ApiVersion(51)))
    assert (old["status"], old["id"], old["from"]) == ("start", "c1", "busybox")


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, True),
        ({"type": ("container",)}, True),
        ({"type": ("image",)}, False),
        ({"event": ("health_status",)}, True),
        ({"container": ("/web",)}, True),
        ({"container": ("c1",)}, True),
        ({"container": ("db",)}, False),
        ({"image": ("busybox",)}, True),
        ({"image": ("busybox:*",)}, True),
        ({"image": ("alpine",)}, False),
        ({"label": ("a=b",)}, True),
        ({"label": ("a", "c")}, False),
        # As dockerd: the beginning of an id or a name, of whatever kind of object it is.
        ({"container": ("we",)}, True),
        ({"network": ("web",)}, True),
        ({"volume": ("eb",)}, False),
        ({"scope": ("swarm",)}, False),
        ({"container": ("web",), "event": ("die",)}, False),
    ],
)
def test_event_filters(filters, wanted):
    attributes = {"image": "busybox:latest", "name": "web", "a": "b"}
    event = Event(EventType.CONTAINER, "health_status: healthy", "c1" * 32, attributes, 5)
    assert EventFilter(filters).wants(event) is wanted


def test_progress_bar():
    assert jsonstream.progress_bar(0, 10, "x") == "[>" + " " * 50 + "] x"
    assert jsonstream.progress_bar(5, 10, "x") == "[" + "=" * 25 + ">" + " " * 25 + "] x"
    assert jsonstream.progress_bar(10, 10, "x") == "[" + "=" * 50 + ">] x"


SWAGGER = os.environ.get("BOXSHIP_TEST_SWAGGER", "")


@pytest.mark.skipif(not SWAGGER, reason="BOXSHIP_TEST_SWAGGER names no API description")
@pytest.mark.parametrize(
    ("shape", "definition"),
    [
        (containers.ContainerInspect, "ContainerInspectResponse"),
        (containers.ContainerRow, "ContainerSummary"),
        (containers.State, "ContainerState"),
        (containers.NetworkSettings, "NetworkSettings"),
        (images.ImageInspect, "ImageInspect"),
        (images.ImageRow, "ImageSummary"),
        (images.HistoryRow, "ImageHistoryResponseItem"),
        (networks.Endpoint, "EndpointSettings"),
        (networks.Network, "Network"),
        (system.Version, "SystemVersion"),
        (system.Info, "SystemInfo"),
    ],
)
def test_fields_are_those_of_the_description(shape, definition):
    """No field that the newest version doesn't have; those it has and we lack are optional."""
    with open(SWAGGER, encoding="utf-8") as stream:
        text = stream.read()
    block = re.search(rf"^  {definition}:\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    assert block is not None
    described = set(re.findall(r"^      (\w+):$", block[1], re.MULTILINE))
    # A few more are sent by the real daemon, too, without being described.
    known = described | {"IPv4Forwarding", "KernelMemory", "Isolation", "LastUsed", "Stored"}
    known |= {"Parent", "DockerVersion", "Container"}  # of images that were built or committed
    ours = {field.encode_name for field in msgspec.structs.fields(shape)}
    assert ours <= known
