"""Sockets and spec files say where plugins listen."""

import socket
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.plugin import discovery
from boxship.plugin.endpoint import Endpoint, PluginTls, parse_endpoint


def bound(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    return str(path)


def found(directory: Path, name: str) -> Endpoint | None:
    return discovery.find(name, (str(directory),))


def test_a_socket_of_that_name(tmp_path: Path) -> None:
    plain, own = bound(tmp_path / "a.sock"), bound(tmp_path / "b" / "b.sock")
    assert found(tmp_path, "a") == Endpoint(path=plain)
    assert found(tmp_path, "b") == Endpoint(path=own)
    assert found(tmp_path, "c") is None


def test_what_is_no_socket_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.sock").touch()
    assert found(tmp_path, "a") is None


def test_a_spec_file_holds_an_address(tmp_path: Path) -> None:
    (tmp_path / "a.spec").write_text("tcp://localhost:8080\n")
    (tmp_path / "b.spec").write_text("unix:///somewhere/b.sock")
    assert found(tmp_path, "a") == Endpoint(host="localhost", port=8080)
    assert found(tmp_path, "b") == Endpoint(path="/somewhere/b.sock")


def test_a_json_file_may_speak_of_tls(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(
        '{"Name": "other", "Addr": "https://h:8443", "TLSConfig": {"InsecureSkipVerify": false, '
        '"CAFile": "/ca", "CertFile": "/cert", "KeyFile": "/key"}}'
    )
    tls = PluginTls("/ca", "/cert", "/key", verify=True)
    assert found(tmp_path, "a") == Endpoint(host="h", port=8443, tls=tls)


def test_tls_without_an_authority_verifies_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"Addr": "https://h", "TLSConfig": {}}')
    assert found(tmp_path, "a") == Endpoint(host="h", port=443, tls=PluginTls(verify=False))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("a.spec", "h:80"),
        ("a.spec", "ftp://h:80"),
        ("a.spec", "tcp://h"),
        ("a.spec", "unix://relative"),
        ("a.spec", ""),
        ("a.spec", "tcp://h:99999"),
        ("a.json", "{"),
        ("a.json", '{"Addr": 3}'),
    ],
)
def test_a_file_that_makes_no_sense_is_named(tmp_path: Path, file: str, content: str) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(InvalidArgumentError, match=f"plugin file {tmp_path}/{file}"):
        found(tmp_path, "a")


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".", "..", "a\0", "a\nb"])
def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    bound(tmp_path / "a.sock")
    (tmp_path / "d").mkdir()
    assert found(tmp_path / "d", name) is None


def test_names_are_of_all_kinds(tmp_path: Path) -> None:
    bound(tmp_path / "x" / "a.sock")
    bound(tmp_path / "x" / "b" / "b.sock")
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "c.spec").touch()
    (tmp_path / "y" / "a.json").touch()
    (tmp_path / "y" / "README").touch()
    (tmp_path / "y" / "empty").mkdir()
    assert discovery.names((str(tmp_path / "x"), str(tmp_path / "y"), "/nowhere")) == (
        "a",
        "b",
        "c",
    )


def test_addresses_are_told_as_they_were_written() -> None:
    assert str(parse_endpoint("unix:///p.sock")) == "/p.sock"
    assert str(parse_endpoint("tcp://[::1]:80")) == "tcp://[::1]:80"
    assert str(parse_endpoint("https://h")) == "https://h:443"
