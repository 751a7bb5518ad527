"""Places as people write them."""

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.client.endpoint import SshEndpoint
from boxship.copying.places import (
    ArchivePlace,
    EnginePlace,
    LayoutPlace,
    RegistryPlace,
    parse_place,
)
from boxship.oci.reference import parse


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("busybox", EnginePlace("busybox")),
        ("quay.io:5000/a/b:1", EnginePlace("quay.io:5000/a/b:1")),
        ("engine:registry:2", EnginePlace("registry:2")),
        ("ssh://there/a/b:1", EnginePlace("a/b:1", SshEndpoint("there"))),
        ("ssh://me@there:22/a", EnginePlace("a", SshEndpoint("there", "me", 22))),
        ("registry:busybox", RegistryPlace(parse("busybox:latest"))),
        ("registry:h:5000/a:1", RegistryPlace(parse("h:5000/a:1"))),
        ("archive:/x/y.tar", ArchivePlace("/x/y.tar")),
        ("archive:y.tar:h:5000/a:1", ArchivePlace("y.tar", "h:5000/a:1")),
        ("oci:/x/dir", LayoutPlace("/x/dir")),
        ("oci:dir:v1.0", LayoutPlace("dir", "v1.0")),
        ("oci:/a:b/c", LayoutPlace("/a:b/c")),
    ],
)
def test_places(text: str, place: object) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ssh://there", "use ssh://"),
        ("ssh:///name", "use ssh://"),
        ("registry:", "must follow registry:"),
        ("registry:UPPER", "must be lowercase"),
        ("oci:dir:a b", "is not a tag"),
        ("oci::tag", "is not a tag"),
    ],
)
def test_what_is_no_place(text: str, words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        parse_place(text)
