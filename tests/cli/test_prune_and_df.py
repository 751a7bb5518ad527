"""Prune and df: both clients ask the same and show the same."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

IMAGES_PRUNED = {
    "ImagesDeleted": [
        {"Untagged": "app:1"},
        {"Deleted": "sha256:" + "a" * 64},
        {"Deleted": "sha256:" + "b" * 64},
    ],
    "SpaceReclaimed": 12_345_678,
}
FLAT = {
    "LayersSize": 7_000_000,
    "Images": [
        {
            "Id": "sha256:" + "5" * 64, "RepoTags": ["app:1", "app:2"], "RepoDigests": [],
            "Created": 1_700_000_000, "Size": 3_000_000, "SharedSize": 1_000_000, "Containers": 1,
        },
        {
            "Id": "sha256:" + "6" * 64, "RepoTags": None, "RepoDigests": None,
            "Created": 1_600_000_000, "Size": 5_000_000, "SharedSize": 1_000_000, "Containers": 0,
        },
    ],
    "Containers": [
        {
            "Id": "c" * 64, "Names": ["/web"], "Image": "app:1", "Command": "sh", "Mounts": [],
            "Created": 1_700_000_000, "State": "running", "Status": "Up", "SizeRw": 2000,
            "SizeRootFs": 3_002_000, "Labels": {}, "Ports": [],
        },
        {
            "Id": "d" * 64, "Names": ["/job"], "Image": "app:1", "Command": "sh", "Mounts": [],
            "Created": 1_700_000_000, "State": "exited", "Status": "Exited (0)", "SizeRw": 3000,
            "SizeRootFs": 3_003_000, "Labels": {}, "Ports": [],
        },
    ],
    "Volumes": [
        {"Name": "data", "Driver": "local", "UsageData": {"RefCount": 1, "Size": 500}},
        {"Name": "old", "Driver": "local", "UsageData": {"RefCount": 0, "Size": 70}},
    ],
    "BuildCache": [],
}  # fmt: skip
COUNTED = {
    "ImageUsage": {"ActiveCount": 1, "TotalCount": 2, "TotalSize": 7_000_000, "Reclaimable": 9},
    "ContainerUsage": {"ActiveCount": 0, "TotalCount": 1, "TotalSize": 0, "Reclaimable": 0},
    "VolumeUsage": {},
    "BuildCacheUsage": {},
}


@pytest.fixture(autouse=True)
def answers(recorder) -> None:
    recorder.answers |= {
        "POST /images/prune": (200, json.dumps(IMAGES_PRUNED)),
        "POST /containers/prune": (200, '{"ContainersDeleted":["c1","c2"],"SpaceReclaimed":7}'),
        "POST /networks/prune": (200, '{"NetworksDeleted":null}'),
        "POST /volumes/prune": (200, '{"VolumesDeleted":["v"],"SpaceReclaimed":1}'),
        "POST /build/prune": (200, '{"CachesDeleted":null,"SpaceReclaimed":0}'),
        "GET /system/df": (200, json.dumps(FLAT)),
    }


@pytest.mark.parametrize(
    ("line", "stdin"),
    [
        ("image prune", "y\n"),
        ("image prune -a", "Y\n"),
        ("image prune", "n\n"),
        ("image prune", ""),
        ("image prune", "yes\n"),
        ("image prune --force --filter until=24h --filter label!=keep", ""),
        ("container prune", "y\n"),
        ("container prune", "\n"),
        ("container prune -f --filter label=a=b", ""),
        ("system prune", "y\n"),
        ("system prune -a --volumes --filter label=b --filter label!=a", "y\n"),
        ("system prune -a", "n\n"),
        ("system prune -f --volumes", ""),
        ("system prune -f --volumes --filter until=1h", ""),
        ("system df", ""),
        ("system df -v", ""),
        ("system df --format {{.Type}}:{{.Reclaimable}}", ""),
    ],
)
def test_the_same_is_asked_and_shown(recorder, ours, theirs, line: str, stdin: str) -> None:
    expected = theirs(*line.split(), stdin=stdin)
    asked = questions(recorder)
    assert ours(*line.split(), stdin=stdin) == expected
    assert questions(recorder) == asked


def questions(recorder) -> list[str]:
    """The requests in their order, without two differences that mean nothing."""
    targets = (each.target.removesuffix("?filters=") for each in recorder.take())
    return [target.removesuffix("?verbose=1") for target in targets]


def test_details_as_json_are_the_same(ours, theirs) -> None:
    line = ("system", "df", "-v", "--format", "json")
    assert json.loads(ours(*line).out) == json.loads(theirs(*line).out)


def test_filters_of_the_config_file_give_way(recorder, ours, tmp_path) -> None:
    """Docker 28 forgets their labels altogether, and so removes what they were to protect."""
    (tmp_path / ".docker").mkdir()
    config = {"pruneFilters": ["label=mine", "label!=keep", "until=1h", "nonsense"]}
    (tmp_path / ".docker/config.json").write_text(json.dumps(config))
    ours("container", "prune", "-f", "--filter", "label=keep")
    (request,) = recorder.take()
    given = json.loads(parse_qs(urlsplit(request.target).query)["filters"][0])
    assert given == {"label": {"keep": True, "mine": True}, "until": {"1h": True}}


def test_what_the_daemon_counts_is_shown_as_it_is(recorder, ours) -> None:
    recorder.answers["GET /system/df"] = (200, json.dumps(COUNTED))
    assert ours("system", "df").out == (
        "TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE\n"
        "Images          2         1         7MB       9B (0%)\n"
        "Containers      1         0         0B        0B\n"
        "Local Volumes   0         0         0B        0B\n"
        "Build Cache     0         0         0B        0B\n"
    )
