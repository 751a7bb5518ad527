"""What each version of the API brought to answers, and took from them.

A row: the request, the member, the version that changed it, what it is since then, and before.
"""

import msgspec
import pytest

from boxship.wire import events, versions

ABSENT = "(absent)"
ANY = "(there)"
NULLS = ("Cmd", "Entrypoint", "Env", "Labels", "OnBuild", "Volumes")

LIST, INSPECT, IMAGE = "/containers/json?all=1", "/containers/web/json", "/images/busybox/json"
NETWORK = "/networks/shop"
ROWS = [
    (LIST, "0.Health", 52, ANY, ABSENT),
    (LIST, "0.NetworkSettings.Networks.none.GwPriority", 48, 0, ABSENT),
    (LIST, "0.HostConfig.Annotations", 46, {"a": "b"}, ABSENT),
    (LIST, "0.NetworkSettings.Networks.none.DNSNames", 44, None, ABSENT),
    (INSPECT, "NetworkSettings.IPAddress", 52, ABSENT, ""),
    (INSPECT, "NetworkSettings.HairpinMode", 52, ABSENT, False),
    (INSPECT, "Config.OnBuild", 52, ABSENT, None),
    (INSPECT, "NetworkSettings.Networks.none.GwPriority", 48, 0, ABSENT),
    (INSPECT, "NetworkSettings.Networks.none.DNSNames", 44, None, ABSENT),
    (INSPECT, "HostConfig.Annotations", 43, {"a": "b"}, ABSENT),
    (INSPECT, "HostConfig.KernelMemory", 42, ABSENT, 0),
    (INSPECT, "HostConfig.KernelMemoryTCP", 42, ABSENT, 0),
    ("/images/json", "0.VirtualSize", 44, ABSENT, ANY),
    *((IMAGE, name, 52, ABSENT, "") for name in ("Parent", "DockerVersion", "Comment", "Author")),
    *((IMAGE, f"Config.{name}", 52, ABSENT, None) for name in NULLS if name != "Cmd"),
    (IMAGE, "Config.WorkingDir", 52, ABSENT, ""),
    (IMAGE, "Config.Hostname", 50, ABSENT, ""),
    (IMAGE, "Config.AttachStdin", 50, ABSENT, False),
    (IMAGE, "ContainerConfig", 45, ABSENT, ANY),
    (IMAGE, "VirtualSize", 44, ABSENT, ANY),
    (NETWORK, "Status", 52, ANY, ABSENT),
    (NETWORK, "EnableIPv4", 48, True, ABSENT),
    ("/networks", "0.Containers", 52, ABSENT, {}),
    ("/networks", "0.Containers", 28, {}, ANY),
    ("/info", "BridgeNfIptables", 50, ABSENT, False),
    ("/info", "FirewallBackend", 49, ANY, ABSENT),
    ("/info", "RuncCommit.Expected", 49, ABSENT, ""),
    ("/info", "RegistryConfig.AllowNondistributableArtifactsCIDRs", 49, ABSENT, None),
    ("/info", "RegistryConfig.AllowNondistributableArtifactsHostnames", 42, None, []),
    ("/info", "CDISpecDirs", 44, [], ABSENT),
    ("/info", "KernelMemoryTCP", 42, ABSENT, False),
    ("/info", "ExecutionDriver", 25, ABSENT, "<not supported>"),
    ("/info", "SecurityOptions.0", 25, "name=seccomp,profile=builtin", "seccomp"),
    ("/containers/web/stats?stream=0", "os_type", 52, "linux", ABSENT),
    ("/system/df", "ImageUsage", 52, ANY, ABSENT),
    ("/system/df", "Images", 53, ABSENT, ANY),
    ("/system/df", "BuilderSize", 42, ABSENT, 5),
]  # fmt: skip


def member(document: object, path: str) -> object:
    for name in path.split("."):
        if isinstance(document, list):
            document = document[int(name)]
        elif isinstance(document, dict) and name in document:
            document = document[name]
        else:
            return ABSENT
    return document


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]} {row[2]}")
def test_members_that_came_and_went(api, row):
    path, name, version, since, before = row
    for number, wanted in ((version, since), (version - 1, before)):
        if number < versions.OLDEST:
            continue
        found = member(api.client.json(f"/v1.{number}{path}"), name)
        assert found == wanted if wanted != ANY else found not in (ABSENT, {}, []), number


def test_no_version_lacks_what_all_have(api):
    for number in range(versions.OLDEST, versions.NEWEST + 1):
        for path in (INSPECT, IMAGE, NETWORK):
            assert member(api.client.json(f"/v1.{number}{path}"), "Id")


def test_1_52_tells_disk_usage_in_both_forms_unless_asked(api):
    both = api.client.json("/v1.52/system/df")
    assert {"Images", "LayersSize", "ImageUsage", "VolumeUsage"} <= set(both)
    assert "Images" not in api.client.json("/v1.52/system/df?verbose=0")


def test_several_platforms_came_with_1_52(api):
    path = "images/busybox/get?platform=linux/amd64&platform=linux/arm64"
    assert api.client.request("GET", f"/v1.51/{path}").status == 400
    assert api.client.request("GET", f"/v1.52/{path}").status == 200
    assert api.client.request("GET", f"/v1.47/{path}").status == 200


def test_signers_are_asked_for_with_manifests(api):
    for version, status in (("1.53", 200), ("1.54", 400)):
        assert api.client.request("GET", f"/v{version}/images/json?identity=1").status == status
    assert api.client.request("GET", "/images/json?identity=1&manifests=1").status == 200


def test_sizes_that_were_not_added_up_before_1_42(api):
    for version in (41, 42):
        api.client.json(f"/v1.{version}/images/json?shared-size=1")
    assert [query.shared_size for _, query in api.images.asked] == [False, True]


def test_a_network_without_ipv4_came_with_1_48(api):
    for version in (47, 48):
        body = msgspec.json.encode({"Name": "a", "EnableIPv4": False})
        api.client.request("POST", f"/v1.{version}/networks/create", body)
    assert [asked.enable_ipv4 for asked in api.networks.asked[-2:]] == [None, False]


# ── events ───────────────────────────────────────────────────────────────────────────────────


def test_images_that_were_made_are_told_of_since_1_46():
    made = events.Event(events.EventType.IMAGE, "create", "a", {}, 5)
    assert events.is_known(made, versions.ApiVersion(46))
    assert not events.is_known(made, versions.ApiVersion(45))
    container = events.Event(events.EventType.CONTAINER, "create", "a", {}, 5)
    assert events.is_known(container, versions.ApiVersion(24))


@pytest.mark.parametrize(
    ("accept", "media", "mark"),
    [
        ("", "application/json", b""),
        ("*/*", "application/json", b""),
        ("application/jsonl, application/x-ndjson;q=0.9", "application/jsonl", b""),
        ("text/html, application/x-ndjson", "application/x-ndjson", b""),
        ("application/json-seq", "application/json-seq", b"\x1e"),
    ],
)
def test_the_form_of_a_stream_of_events(accept, media, mark):
    assert events.media_type(accept) == (media, mark)
