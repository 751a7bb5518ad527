import subprocess

import pytest

from boxship.base.errors import InvalidArgumentError, NotImplementedYetError
from boxship.client.endpoint import (
    DEFAULT_SOCKET,
    SshEndpoint,
    TcpEndpoint,
    TlsFiles,
    TlsOptions,
    UnixEndpoint,
    choose,
    parse_host,
    tls_files,
)
from boxship.client.ssh import command

TLS = TlsFiles("ca", "cert", "key", verify=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unix:///x/y.sock", UnixEndpoint("/x/y.sock")),
        ("unix://", UnixEndpoint(DEFAULT_SOCKET)),
        ("tcp://h:1", TcpEndpoint("h", 1)),
        ("tcp://h", TcpEndpoint("h", 2375)),
        ("tcp://", TcpEndpoint("localhost", 2375)),
        (":99", TcpEndpoint("localhost", 99)),
        ("h", TcpEndpoint("h", 2375)),
        ("tcp://[::1]:7", TcpEndpoint("::1", 7)),
        ("tcp://[::1]", TcpEndpoint("::1", 2375)),
        ("http://h:5/", TcpEndpoint("h", 5)),
    ],
)
def test_hosts_are_parsed(text: str, expected: object) -> None:
    assert parse_host(text) == expected


def test_tls_changes_the_default_port() -> None:
    assert parse_host("tcp://h", TLS) == TcpEndpoint("h", 2376, TLS)


@pytest.mark.parametrize("text", ["tcp://h:0", "tcp://h:x", "tcp://h:70000", "foo://h"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        parse_host(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh://there", SshEndpoint("there")),
        ("ssh://me@there", SshEndpoint("there", "me")),
        ("ssh://me@10.0.0.1:2222/", SshEndpoint("10.0.0.1", "me", 2222)),
        ("ssh://there/run/a.sock", SshEndpoint("there", path="/run/a.sock")),
    ],
)
def test_ssh_hosts(text: str, expected: SshEndpoint) -> None:
    assert parse_host(text) == expected
    assert str(expected) == text.rstrip("/")


def test_a_path_is_a_word_for_the_shell_at_the_far_end() -> None:
    endpoint = parse_host("ssh://me@there:22/run/a;b 'c/d.sock")
    assert isinstance(endpoint, SshEndpoint)
    *options, remote = command(endpoint)
    assert options[-2:] == ["--", "there"]
    shell = f"boxship() {{ printf '<%s>' \"$@\"; }}; {remote.replace('exec ', '')}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    assert done.stdout == "<--host><unix:///run/a;b 'c/d.sock><system><dial-stdio>"


@pytest.mark.parametrize(
    "text",
    ["ssh://", "ssh://-oProxyCommand=x", "ssh://-l@h", "ssh://h:x", "ssh://h/a?b", "ssh://a b"],
)
def test_what_ssh_would_misread_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="use ssh://user@host"):
        parse_host(text)


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(NotImplementedYetError, match="npipe://"):
        parse_host("npipe:////./pipe/x")


@pytest.mark.parametrize(
    ("flag", "environment", "expected", "is_default"),
    [
        ("unix:///f", {"BOXSHIP_HOST": "unix:///b"}, "/f", False),
        (None, {"BOXSHIP_HOST": "unix:///b", "DOCKER_HOST": "unix:///d"}, "/b", False),
        (None, {"DOCKER_HOST": "unix:///d"}, "/d", False),
        (None, {"DOCKER_HOST": ""}, DEFAULT_SOCKET, True),
        (None, {}, DEFAULT_SOCKET, True),
    ],
)
def test_the_flag_wins_then_our_variable_then_dockers(
    flag: str | None, environment: dict[str, str], expected: str, is_default: bool
) -> None:
    choice = choose(flag, TlsOptions(), environment)
    assert choice.endpoint == UnixEndpoint(expected)
    assert choice.is_default is is_default


def test_tls_is_off_unless_asked_for() -> None:
    assert tls_files(TlsOptions(), {}) is None
    assert tls_files(TlsOptions(), {"DOCKER_TLS_VERIFY": ""}) is None


def test_the_environment_turns_tls_on_and_says_where_the_files_are() -> None:
    environment = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}
    assert tls_files(TlsOptions(), environment) == TlsFiles(
        "/certs/ca.pem", "/certs/cert.pem", "/certs/key.pem", verify=True
    )


def test_flags_override_the_environment() -> None:
    environment = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"}
    options = TlsOptions(tls=True, tlsverify=False, ca="/mine")
    files = tls_files(options, environment)
    assert files is not None
    assert (files.ca, files.verify) == ("/mine", False)
