"""Prune and disk usage over the API: filters as they are read, answers by version."""

from urllib.parse import quote

import msgspec
import pytest

from boxship.engine.containers.requests import ContainerPrune
from boxship.model.image import ImagePrune
from boxship.model.labels import LabelFilter

ID = "sha256:" + "ab" * 32
NOW = 1_800_000_000 * 10**9
HOUR = 3600 * 10**9


def prune(api, kind: str, filters: dict[str, list[str]], version: str = "v1.50"):
    text = quote(msgspec.json.encode(filters).decode())
    return api.client.request("POST", f"/{version}/{kind}/prune?filters={text}")


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, ImagePrune()),
        ({"dangling": ["true"]}, ImagePrune()),
        ({"dangling": ["false"]}, ImagePrune(all=True)),
        ({"dangling": ["0"]}, ImagePrune(all=True)),
        ({"until": ["1h"]}, ImagePrune(until_ns=NOW - HOUR)),
        ({"until": ["1700000000.5"]}, ImagePrune(until_ns=1_700_000_000_500_000_000)),
        ({"until": ["2024-01-02T00:00:00Z"]}, ImagePrune(until_ns=1_704_153_600 * 10**9)),
        (
            {"label": ["a", "b=c"], "label!": ["d"]},
            ImagePrune(labels=LabelFilter(("a", "b=c"), ("d",))),
        ),
        ({"unused-for": ["36h"]}, ImagePrune(unused_for_ns=36 * HOUR)),
        ({"unused-for": ["7d"]}, ImagePrune(unused_for_ns=7 * 24 * HOUR)),
    ],
)
def test_filters_of_images(api, filters, wanted) -> None:
    answer = prune(api, "images", filters)
    assert msgspec.json.decode(answer.body) == {
        "ImagesDeleted": [{"Untagged": "busybox:latest"}, {"Deleted": ID}],
        "SpaceReclaimed": 5,
    }
    assert api.images.asked == [("prune", wanted)]


@pytest.mark.parametrize(
    ("kind", "filters", "message"),
    [
        ("images", {"colour": ["red"]}, "invalid filter 'colour'"),
        ("images", {"dangling": ["maybe"]}, "invalid filter 'dangling=[maybe]'"),
        ("images", {"until": ["1h", "2h"]}, "more than one until filter specified"),
        ("images", {"until": ["never"]}, 'failed to parse value as time or duration: "never"'),
        ("images", {"unused-for": ["long"]}, "invalid filter 'unused-for=long'"),
        ("images", {"unused-for": ["-1h"]}, "invalid filter 'unused-for=-1h'"),
        ("images", {"unused-for": ["1h", "2h"]}, "invalid filter 'unused-for=1h,2h'"),
        ("containers", {"dangling": ["true"]}, "invalid filter 'dangling'"),
        ("containers", {"unused-for": ["1h"]}, "invalid filter 'unused-for'"),
        ("networks", {"dangling": ["true"]}, "invalid filter 'dangling'"),
        ("volumes", {"until": ["1h"]}, "invalid filter 'until'"),
    ],
)
def test_filters_that_make_no_sense(api, kind, filters, message) -> None:
    answer = prune(api, kind, filters)
    assert answer.status == 400
    assert answer.message.startswith(message)


def test_containers(api) -> None:
    answer = prune(api, "containers", {"until": ["1h"], "label": ["a"]})
    assert msgspec.json.decode(answer.body) == {
        "ContainersDeleted": ["f" * 64],
        "SpaceReclaimed": 5,
    }
    wanted = ContainerPrune(NOW - HOUR, LabelFilter(("a",)))
    assert api.containers.asked == [("prune", wanted)]


def test_usage_as_lists(api) -> None:
    usage = api.client.json("/v1.41/system/df")
    assert usage["LayersSize"] == 5
    assert [image["Id"] for image in usage["Images"]] == [ID]
    assert "VirtualSize" in usage["Images"][0]
    assert all(row["SizeRw"] == 5 for row in usage["Containers"])
    assert usage["BuilderSize"] == 5
    assert usage["BuildCache"] == [
        {
            "ID": "one",
            "Type": "regular",
            "Description": "RUN make",
            "InUse": False,
            "Shared": False,
            "Size": 5,
            "CreatedAt": "2027-01-15T08:00:00.000000000Z",
            "UsageCount": 0,
            "LastUsedAt": None,
        }
    ]
    assert [row["UsageData"] for row in usage["Volumes"]] == [{"RefCount": 0, "Size": 5}]
    ((_, query),) = [asked for asked in api.images.asked if asked[0] == "list"]
    assert (query.all, query.shared_size, query.count_containers) == (False, True, True)
    newer = api.client.json("/v1.51/system/df")
    assert "BuilderSize" not in newer
    assert "VirtualSize" not in newer["Images"][0]


def test_usage_of_some_kinds(api) -> None:
    usage = api.client.json("/v1.44/system/df?type=container")
    assert usage["Images"] is usage["Volumes"] is usage["BuildCache"] is None
    assert usage["LayersSize"] == 0
    assert usage["Containers"]
    usage = api.client.json("/v1.56/system/df?type=image&type=volume")
    assert set(usage) == {"ImageUsage", "VolumeUsage"}
    answer = api.client.request("GET", "/v1.44/system/df?type=socks")
    assert (answer.status, answer.message) == (400, "unknown object type: socks")


def test_usage_by_kind(api) -> None:
    usage = api.client.json("/v1.52/system/df")
    assert usage["ImageUsage"] == {
        "ActiveCount": 1,
        "TotalCount": 1,
        "Reclaimable": 2,
        "TotalSize": 5,
    }
    nothing = {"ActiveCount": 0, "TotalCount": 0, "Reclaimable": 0, "TotalSize": 0}
    assert usage["BuildCacheUsage"] == nothing | {
        "TotalCount": 1,
        "Reclaimable": 5,
        "TotalSize": 5,
    }
    assert usage["VolumeUsage"] == nothing | {"TotalCount": 1, "Reclaimable": 5, "TotalSize": 5}
    containers = usage["ContainerUsage"]
    assert containers["TotalSize"] == 5 * containers["TotalCount"]
    assert containers["TotalCount"] > 0
    detailed = api.client.json("/v1.52/system/df?verbose=1")
    assert [image["Id"] for image in detailed["ImageUsage"]["Items"]] == [ID]
    assert len(detailed["ContainerUsage"]["Items"]) == containers["TotalCount"]
    assert [row["Name"] for row in detailed["VolumeUsage"]["Items"]] == ["vol"]
