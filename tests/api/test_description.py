"""The API's own description, as it is served, and that it is held against answers."""

import pytest

from boxship.api.openapi.document import document, encoded
from support.described import ours

JSON = "application/json"


def test_it_is_served_the_same_for_every_version(api):
    answer = api.client.request("GET", "/openapi.json")
    assert (answer.status, answer.headers["Content-Type"]) == (200, JSON)
    assert answer.body == encoded()
    assert api.client.request("GET", "/v1.24/openapi.json").body == answer.body


def test_it_says_what_a_client_has_to_know():
    made = document()
    assert made["openapi"] == "3.1.0"
    create = made["paths"]["/containers/create"]["post"]
    assert create["requestBody"]["required"]
    assert set(create["responses"]) == {"201", "400", "401", "403", "404", "409", "503"}
    host = made["components"]["schemas"]["HostConfig"]["properties"]
    assert (host["Memory"]["type"], host["Memory"]["default"]) == ("integer", 0)
    (filters,) = (p for p in _parameters("/volumes") if p["name"] == "filters")
    known = filters["content"][JSON]["schema"]["properties"]
    assert set(known) == {"dangling", "driver", "label", "name"}


def _parameters(path):
    return document()["paths"][path]["get"]["parameters"]


@pytest.mark.parametrize(
    ("asked", "status", "media", "body", "fault"),
    [
        ("GET /containers/json", 200, JSON, b"[]", ""),
        ("GET /containers/json", 200, JSON, b'[{"Id": 5}]', "5 is not of type 'string'"),
        ("GET /containers/json", 418, JSON, b"{}", "418 is not described"),
        ("GET /containers/json", 404, JSON, b'{"text": ""}', "'message' is a required"),
        ("GET /containers/json", 200, "text/html", b"", "text/html is not described"),
        ("GET /boxship/hidden", 200, JSON, b"{}", "/boxship/hidden is not described"),
        ("POST /containers/x/pause", 204, "", b"x", "there is a body"),
        ("POST /containers/x/resize", 200, JSON, b"{}", "there is a body"),
        ("GET /images/a/b:c/json", 200, JSON, b"{}", "'Id' is a required"),
        ("GET /events", 200, JSON, b"{}\n", "'Type' is a required"),
    ],
)
def test_an_answer_that_is_not_described_is_told(asked, status, media, body, fault):
    faults = ours().faults(*asked.split(), status, media, body)
    assert bool(faults) == bool(fault)
    assert fault in " ".join(faults)
