"""Volumes over HTTP: shapes, statuses, and what is asked of the engine."""

import json

import pytest

from boxship.engine.volumes.requests import CreateVolume, VolumePrune, VolumeQuery
from boxship.model.labels import LabelFilter

ROW = {
    "CreatedAt": "2026-01-01T00:00:00Z",
    "Driver": "local",
    "Labels": {"a": "b"},
    "Mountpoint": "/data/vol",
    "Name": "vol",
    "Options": None,
    "Scope": "local",
}


def test_shapes(api) -> None:
    row = api.client.json("/volumes/vol")
    assert row | {"CreatedAt": ROW["CreatedAt"]} == ROW
    assert list(row) == list(ROW)
    assert row["CreatedAt"].endswith("Z")
    assert "." not in row["CreatedAt"]
    assert api.client.json("/volumes") == {"Volumes": [row], "Warnings": None}


def test_statuses(api) -> None:
    def status(method: str, path: str, body: bytes = b"") -> int:
        return api.client.request(method, path, body).status

    assert status("GET", "/volumes/gone") == 404
    assert status("POST", "/volumes/create", b'{"Name":"vol"}') == 201
    assert status("POST", "/volumes/create", b'{"Name":5}') == 400
    assert status("DELETE", "/volumes/vol?force=1") == 204
    assert status("PUT", "/volumes/vol", b"{}") == 503
    assert api.volumes.asked == [CreateVolume("vol"), ("remove", "vol", True)]


def test_a_list_passes_its_filters_on(api) -> None:
    filters = json.dumps({"dangling": {"true": True}})
    api.client.json(f"/volumes?filters={filters}".replace(" ", "").replace('"', "%22"))
    assert api.volumes.asked == [VolumeQuery({"dangling": ("true",)})]


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v1.41/volumes/prune", VolumePrune(all=True)),
        ("/v1.42/volumes/prune", VolumePrune()),
        ("/volumes/prune?filters=%7B%22all%22:[%22true%22]%7D", VolumePrune(all=True)),
        (
            "/volumes/prune?filters=%7B%22label!%22:[%22k%22]%7D",
            VolumePrune(labels=LabelFilter((), ("k",))),
        ),
    ],
)
def test_prune_spares_those_with_a_name_since_1_42(api, path: str, wanted: VolumePrune) -> None:
    answer = api.client.request("POST", path)
    assert json.loads(answer.body) == {"VolumesDeleted": ["vol"], "SpaceReclaimed": 5}
    assert api.volumes.asked == [wanted]
