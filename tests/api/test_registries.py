"""Registries over the API: logins, searches, a look at what isn't here."""

import base64
import json
from urllib.parse import quote

import pytest

from boxship.distribution.credentials import Credentials
from boxship.distribution.search import SearchFilters


def ask(api, method, path, body=None, headers=""):
    data = json.dumps(body).encode() if body is not None else b""
    head = (
        f"{method} {quote(path, safe='/?=&:')} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n{headers}\r\n"
    )
    head, _, told = api.client.send(head.encode() + data).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(told)


def test_a_login_is_checked(api) -> None:
    body = {"username": "me", "password": "right", "serveraddress": "reg:5000"}
    assert ask(api, "POST", "/auth", body) == (
        200,
        {"Status": "Login Succeeded", "IdentityToken": "refresh"},
    )
    assert api.registries.asked == [
        ("reg:5000", Credentials("me", "right", server="reg:5000")),
    ]


def test_a_wrong_login_is_401(api) -> None:
    assert ask(api, "POST", "/auth", {"username": "me", "password": "wrong"}) == (
        401,
        {"message": "unauthorized: incorrect username or password"},
    )


def test_a_search_passes_on_what_is_asked(api) -> None:
    shown = base64.urlsafe_b64encode(b'{"username":"me","password":"pw"}').decode()
    filters = json.dumps({"stars": ["2"], "is-official": ["false"]})
    path = f"/images/search?term=app&limit=5&filters={filters}"
    status, found = ask(api, "GET", path, headers=f"X-Registry-Auth: {shown}\r\n")
    assert status == 200
    assert found == [
        {
            "star_count": 3,
            "is_official": False,
            "name": "me/app",
            "is_automated": False,
            "description": "An app",
        }
    ]
    assert api.registries.asked == [
        ("app", Credentials("me", "pw"), 5, SearchFilters(official=False, stars=2))
    ]


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ({"x": ["1"]}, "invalid filter 'x'"),
        ({"stars": ["y"]}, "invalid filter 'stars=y': strconv.Atoi: parsing \"y\": invalid syntax"),
        ({"is-official": ["y"]}, "invalid filter 'is-official=[y]'"),
    ],
)
def test_wrong_filters_are_named(api, filters, told) -> None:
    path = f"/images/search?term=app&filters={json.dumps(filters)}"
    assert ask(api, "GET", path) == (400, {"message": told})


def test_an_image_of_a_registry_is_described(api) -> None:
    _, found = ask(api, "GET", "/distribution/reg:5000/me/app:1/json")
    assert found == {
        "Descriptor": {
            "mediaType": "application/json",
            "digest": f"sha256:{'a' * 64}",
            "size": 7,
        },
        "Platforms": [{"architecture": "amd64", "os": "linux"}],
    }
    assert api.registries.asked == [("reg:5000/me/app:1", None)]
    assert ask(api, "GET", "/distribution/gone/json")[0] == 404
