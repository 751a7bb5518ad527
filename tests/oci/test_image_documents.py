"""Image documents: Go's nulls, unknown fields, errors that name the field, chain ids."""

import json

import pytest

from boxship.oci.digest import Digest
from boxship.oci.image import Image, MalformedImageError, Manifest, chain_id, decode, encode


def test_config_as_go_writes_it() -> None:
    image = decode(
        b'{"architecture":"amd64","os":"linux","config":{"Env":null,"Cmd":["sh"],'
        b'"ExposedPorts":{"80/tcp":{}},"Labels":null,"X-Unknown":1},"future":{"a":[]},'
        b'"rootfs":{"type":"layers","diff_ids":null},"history":null,"os.version":"10"}',
        Image,
    )
    assert image.config is not None
    assert (image.config.cmd, image.config.env, image.os_version) == (("sh",), None, "10")
    assert list(image.config.exposed_ports or ()) == ["80/tcp"]
    assert image.diff_ids == ()


@pytest.mark.parametrize(
    ("document", "where"),
    [
        (b"", "image"),
        (b"[]", "image"),
        (b'{"config":{"Cmd":"sh"}}', r"config\.Cmd"),
        (b'{"rootfs":{"diff_ids":[1]}}', r"rootfs\.diff_ids"),
        (b'{"os":"\xff"}', "image"),
        (b"[" * 100_000, "image"),
    ],
)
def test_errors_name_the_field(document: bytes, where: str) -> None:
    with pytest.raises(MalformedImageError, match=where):
        decode(document, Image)


def test_bad_diff_ids_are_noticed_when_used() -> None:
    image = decode(b'{"rootfs":{"type":"layers","diff_ids":["sha256:1"]}}', Image)
    with pytest.raises(MalformedImageError, match=r"rootfs\.diff_ids"):
        _ = image.diff_ids


def test_manifest_uses_the_specifications_names() -> None:
    digest = f"sha256:{'0' * 64}"
    text = json.dumps({"config": {"mediaType": "t", "digest": digest, "size": 3}, "layers": []})
    manifest = decode(text.encode(), Manifest)
    assert json.loads(encode(manifest)) == {
        "schemaVersion": 2,
        "mediaType": "",
        "config": {"mediaType": "t", "digest": digest, "size": 3},
        "layers": [],
    }


def test_chain_ids_follow_the_image_specification() -> None:
    a, b, c = (Digest.of(name) for name in (b"a", b"b", b"c"))
    assert chain_id([]) is None
    assert chain_id([a]) == a
    ab = Digest.of(f"{a} {b}".encode())
    assert chain_id([a, b]) == ab
    assert chain_id([a, b, c]) == Digest.of(f"{ab} {c}".encode())
