"""``DOCKER_CUSTOM_HEADERS`` and ``config.json`` as the client reads them."""

from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.cli.configfile import ConfigFile, custom_headers


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("", ()),
        ("Meta=one", (("Meta", "one"),)),
        ('Meta=one, X-Two=2,"X-Three=a,b"', (("Meta", "one"), ("X-Two", "2"), ("X-Three", "a,b"))),
        ("Empty=", (("Empty", ""),)),
    ],
)
def test_headers(text: str, headers: tuple[tuple[str, str], ...]) -> None:
    assert custom_headers({"DOCKER_CUSTOM_HEADERS": text}) == headers


@pytest.mark.parametrize("text", ["Meta", "=x", "A b=c", "A=b,,C=d", '"A=b\nC: d"'])
def test_headers_that_are_none(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="invalid DOCKER_CUSTOM_HEADERS"):
        custom_headers({"DOCKER_CUSTOM_HEADERS": text})


@pytest.mark.parametrize(("text", "told"), [("[]", "is not an object"), ("{,}", "line 1 column 2")])
def test_a_bad_file_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InvalidArgumentError, match=told) as refused:
        ConfigFile.load({}, str(tmp_path))
    assert str(tmp_path) in str(refused.value)
