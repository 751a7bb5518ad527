"""Images over the API: names with slashes, uploads, streams of progress."""

import msgspec
import pytest
from msgspec.structs import replace

from boxship.base.errors import InvalidArgumentError
from boxship.engine.images.intake import ImportOptions
from boxship.model.image import (
    ImageFilters,
    ImageQuery,
    LoadedImage,
    LoadingLayer,
    ManifestKind,
    ManifestSummary,
)
from boxship.oci.image import MANIFEST_TYPE
from boxship.oci.platform import Platform

ID = "sha256:" + "ab" * 32


def lines(answer):
    assert answer.body.endswith(b"\r\n")
    return [msgspec.json.decode(line) for line in answer.body.splitlines()]


def test_names_may_hold_slashes_ports_and_escapes(api):
    for name in ("busybox", "reg.example:5000/a/b:1", "reg.example:5000%2Fa%2Fb%3A1"):
        assert api.client.json(f"/images/{name}/json")["Id"] == ID
        assert api.client.json(f"/v1.40/images/{name}/history")[0]["CreatedBy"] == "made"
    answer = api.client.request("GET", "/images/no/such/json")
    assert (answer.status, answer.message) == (404, "No such image: no/such")


def test_removal_tells_what_it_did(api):
    answer = api.client.request("DELETE", "/images/busybox?force=1")
    assert msgspec.json.decode(answer.body) == [
        {"Untagged": "busybox:latest"},
        {"Deleted": ID},
    ]


def test_removal_of_platforms(api):
    wanted = msgspec.json.encode({"os": "linux", "architecture": "arm64"}).decode()
    for text in (wanted, "linux/arm64"):
        escaped = text.replace('"', "%22")
        api.client.request("DELETE", f"/v1.50/images/busybox?platforms={escaped}")
    assert api.images.asked == 2 * [("remove", (Platform("linux", "arm64"),))]
    assert api.client.request("DELETE", "/v1.50/images/busybox?platforms=%7B%7D").status == 400
    api.client.request("DELETE", "/v1.49/images/busybox?platforms=linux/arm64")
    assert len(api.images.asked) == 2


def test_list_filters_are_parsed_into_the_query(api):
    filters = '{"dangling":["true"],"label":["a=b"],"reference":{"busy*":true}}'
    api.client.json(f"/v1.44/images/json?all=1&filters={filters}".replace('"', "%22"))
    wanted = ImageFilters(references=("busy*",), labels=("a=b",), dangling=True)
    assert api.images.asked == [("list", ImageQuery(filters=wanted, all=True))]


@pytest.mark.parametrize("filters", ['{"colour":["red"]}', '{"dangling":["perhaps"]}', "[1]", "{"])
def test_bad_filters_are_refused(api, filters):
    answer = api.client.request("GET", f"/images/json?filters={filters}".replace('"', "%22"))
    assert answer.status == 400
    assert answer.message.startswith("invalid filter")


def test_load_takes_an_upload_and_tells_its_progress(api):
    api.images.load_events = [
        LoadingLayer("sha256:" + "12" * 32, 500, 1000),
        LoadedImage(ID, "busybox:latest"),
        LoadedImage(ID, ""),
    ]
    archive = b"tar" * 100_000
    answer = api.client.request("POST", "/images/load", archive, "application/x-tar")
    assert api.images.uploaded == archive
    progress, named, nameless = lines(answer)
    assert progress["progressDetail"] == {"current": 500, "total": 1000}
    assert progress["id"] == "121212121212"
    assert named == {"stream": "Loaded image: busybox:latest\n"}
    assert nameless == {"stream": f"Loaded image ID: {ID}\n"}


def test_load_of_a_bad_archive_is_an_ordinary_error(api):
    api.images.load_events = [InvalidArgumentError("no manifest.json")]
    answer = api.client.request("POST", "/images/load", b"rubbish", "application/x-tar")
    assert (answer.status, answer.message) == (400, "no manifest.json")


def test_a_failure_after_the_first_line_is_the_last_line(api):
    api.images.load_events = [LoadedImage(ID, "a:1"), InvalidArgumentError("layer 2 is cut off")]
    answer = api.client.request("POST", "/images/load", b"x", "application/x-tar")
    assert answer.status == 200
    assert lines(answer)[1] == {
        "errorDetail": {"code": 400, "message": "layer 2 is cut off"},
        "error": "layer 2 is cut off",
    }


def test_an_upload_in_chunks(api):
    api.images.load_events = [LoadedImage(ID, "")]
    data = api.client.send(
        b"POST /images/load?quiet=1 HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n"
        b"Connection: close\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n"
    )
    assert data.startswith(b"HTTP/1.1 200 OK")
    assert api.images.uploaded == b"hello world"


def test_save_streams_what_is_asked_for(api):
    answer = api.client.request("GET", "/images/get?names=busybox&names=reg.example:5000/a/b:1")
    assert len(answer.body) == 64 * 65536
    assert answer.headers["Content-Type"] == "application/x-tar"
    assert api.images.asked == [("save", ["busybox", "reg.example:5000/a/b:1"])]
    assert api.client.request("GET", "/images/nope/get").status == 404


def test_import(api):
    path = "/images/create?fromSrc=-&repo=mine&tag=1&message=m&changes=CMD%20sh&changes=ENV%20a=b"
    answer = api.client.request("POST", path, b"tarball", "application/x-tar")
    assert lines(answer) == [{"status": ID}]
    assert api.images.uploaded == b"tarball"
    wanted = ImportOptions(reference="mine:1", changes=["CMD sh", "ENV a=b"], message="m")
    assert api.images.asked == [("import", wanted)]


def test_a_built_in_image_asks_no_registry(api):
    answer = api.client.request("POST", "/images/create?fromImage=hello-world&tag=latest")
    assert lines(answer)[-1] == {"status": "Status: Image is up to date for hello-world:latest"}


def test_tag(api):
    answer = api.client.request("POST", "/images/a/b:1/tag?repo=c/d&tag=2")
    assert (answer.status, answer.body) == (201, b"")
    assert api.images.asked == [("tag", ("a/b:1", "c/d", "2"))]


def test_manifests_are_listed_for_those_who_ask(api):
    manifest = ManifestSummary(
        digest=ID, media_type=MANIFEST_TYPE, document_size=7, kind=ManifestKind.IMAGE,
        platform=Platform("linux", "arm64"), image_id=ID, content_size=9, unpacked_size=5,
        containers=("c",),
    )  # fmt: skip
    api.images.manifests = (manifest, replace(manifest, kind=ManifestKind.ATTESTATION, image_id=""))
    assert "Manifests" not in api.client.json("/images/json")[0]
    assert "Manifests" not in api.client.json("/v1.46/images/json?manifests=1")[0]
    (row,) = api.client.json("/images/json?manifests=1")
    platform = {"architecture": "arm64", "os": "linux"}
    shown = {
        "ID": ID,
        "Descriptor": {"mediaType": MANIFEST_TYPE, "digest": ID, "size": 7, "platform": platform},
        "Available": True,
        "Size": {"Content": 9, "Total": 14},
        "Kind": "image",
        "ImageData": {"Platform": platform, "Containers": ["c"], "Size": {"Unpacked": 5}},
    }
    rest = {name: value for name, value in shown.items() if name != "ImageData"}
    assert row["Manifests"] == [shown, rest | {"Kind": "attestation", "Available": False}]


def test_inspect_shows_manifests_where_asked(api):
    assert "Manifests" not in api.client.json("/v1.48/images/busybox/json")
    assert api.client.json("/v1.48/images/busybox/json?manifests=1")["Manifests"] == []
    assert "Manifests" not in api.client.json("/v1.47/images/busybox/json?manifests=1")
    assert [asked for asked in api.images.asked if asked[0] == "inspect"] == [
        ("inspect", False),
        ("inspect", True),
        ("inspect", False),
    ]
    both = "manifests=1&platform=%7B%22os%22:%22linux%22,%22architecture%22:%22arm64%22%7D"
    answer = api.client.request("GET", f"/v1.49/images/busybox/json?{both}")
    assert answer.status == 400
    assert answer.message.startswith("conflicting options: manifests and platform")
