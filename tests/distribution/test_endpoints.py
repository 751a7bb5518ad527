"""Which endpoints a registry has, by settings, certs.d and hosts.toml; and the way through them."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.distribution.cancel import Cancel
from boxship.distribution.capabilities import Capability
from boxship.distribution.credentials import Credentials
from boxship.distribution.endpoints import Endpoint, Endpoints
from boxship.distribution.errors import (
    BadRegistryAnswerError,
    CertificateProblemError,
    RegistryError,
    RegistryUnavailableError,
)
from boxship.distribution.registries import Registries
from boxship.distribution.settings import Proxies, RegistrySettings, Retries
from boxship.oci.digest import Digest
from boxship.oci.image import Descriptor
from boxship.oci.reference import parse
from support.certificates import Authority
from support.faultyregistry import Answer, EndEarly, FaultyRegistry, Lie
from support.registries import RegistryServer

DATA = b"0123456789abcdef" * 200_000
MANIFEST = b'{"schemaVersion":2}'
QUICK = Retries(attempts=3, first=0.001)


def endpoints(tmp_path: Path, **settings: tuple[str, ...]) -> Endpoints:
    return Endpoints(RegistrySettings(cert_directories=(str(tmp_path),), **settings))


@contextmanager
def registries(tmp_path: Path, *mirrors: str) -> Iterator[Registries]:
    made = Registries(
        RegistrySettings(mirrors=mirrors, cert_directories=(str(tmp_path),), retries=QUICK),
        "boxship/test",
    )
    yield made
    made.close()


def rules(tmp_path: Path, domain: str, text: str) -> Path:
    place = tmp_path / domain
    place.mkdir(exist_ok=True)
    (place / "hosts.toml").write_text(text)
    return place


def descriptor(data: bytes) -> Descriptor:
    digest = str(Digest.of(data))
    return Descriptor(media_type="application/octet-stream", digest=digest, size=len(data))


def bases(found: tuple[Endpoint, ...]) -> list[str]:
    return [endpoint.base for endpoint in found]


# What is decided


def test_the_hub_has_mirrors_and_others_have_none(tmp_path: Path) -> None:
    made = endpoints(tmp_path, mirrors=("https://one.example/", "http://two.example"))
    found = made.of("docker.io")
    assert bases(found) == [
        "https://one.example/v2",
        "http://two.example/v2",
        "https://registry-1.docker.io/v2",
    ]
    assert [endpoint.own for endpoint in found] == [False, False, True]
    assert Capability.PUSH not in found[0].capabilities
    assert bases(made.of("192.0.2.1:5000")) == ["https://192.0.2.1:5000/v2"]


def test_insecure_registries_have_a_plain_door(tmp_path: Path) -> None:
    found = endpoints(tmp_path, insecure=("192.0.2.0/24",)).of("192.0.2.1:5000")
    assert bases(found) == ["https://192.0.2.1:5000/v2", "http://192.0.2.1:5000/v2"]
    assert not found[0].tls.verify


def test_hosts_toml_is_read_as_containerd_reads_it(tmp_path: Path) -> None:
    place = rules(
        tmp_path,
        "docker.io",
        """
        server = "https://registry-1.docker.io"

        [host."https://mirror.example"]
        capabilities = ["pull"]
        skip_verify = true
        [host."https://mirror.example".header]
        x-token = ["one", "two"]

        [host."http://other.example/prefix"]
        override_path = true
        ca = "ca.pem"
        client = [["client.cert", "client.key"]]
        """,
    )
    for name in ("ca.pem", "client.cert", "client.key"):
        (place / name).touch()
    mirror, other, server = endpoints(tmp_path, mirrors=("https://unused.example",)).of("docker.io")
    assert bases((mirror, other, server)) == [
        "https://mirror.example/v2",
        "http://other.example/prefix",
        "https://registry-1.docker.io/v2",
    ]
    assert mirror.capabilities == {Capability.PULL}
    assert (mirror.namespace, mirror.own, mirror.tls.verify) == ("docker.io", False, False)
    assert mirror.headers == {"x-token": "one, two"}
    assert "one" not in repr(mirror)
    assert other.tls.authorities[0].path == str(place / "ca.pem")
    assert other.tls.clients[0].key.path == str(place / "client.key")
    assert (server.own, server.namespace) == (True, "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("server = ", "hosts.toml"),
        ('[host."ftp://x"]', "is no http or https URL"),
        ('[host."https://x"]\ncapabilities = ["fly"]', "capabilities has 'fly'"),
        ('[host."https://x"]\nca = 7', "ca has to be"),
        ('[host."https://x"]\nclient = 7', "client has to be"),
        ("host = 1", "host has to be a table"),
    ],
)
def test_mistakes_in_hosts_toml_are_named(text: str, told: str, tmp_path: Path) -> None:
    rules(tmp_path, "reg.example", text)
    with pytest.raises(InvalidArgumentError, match=told) as caught:
        endpoints(tmp_path).of("reg.example")
    assert "reg.example/hosts.toml" in str(caught.value)


def test_a_missing_file_of_hosts_toml_is_named(tmp_path: Path) -> None:
    rules(tmp_path, "reg.example", 'ca = "none.pem"')
    with pytest.raises(CertificateProblemError, match=r"none\.pem"):
        endpoints(tmp_path).of("reg.example")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["client.cert"], "missing key client.key for client certificate client.cert"),
        (["client.key"], "missing client certificate client.cert for key client.key"),
    ],
)
def test_half_a_client_certificate_is_an_error(names: list[str], told: str, tmp_path: Path) -> None:
    place = tmp_path / "192.0.2.1:5000"
    place.mkdir()
    for name in names:
        (place / name).touch()
    with pytest.raises(CertificateProblemError, match=told):
        endpoints(tmp_path).of("192.0.2.1:5000")


# The way through them


def test_a_mirror_that_fails_is_followed_by_the_next(tmp_path: Path) -> None:
    with FaultyRegistry() as bad, FaultyRegistry() as good:
        good.tag("1", MANIFEST)
        good.keep(DATA)
        bad.keep(DATA)
        bad.on("GET", "/manifests/", Answer(401, {"WWW-Authenticate": 'Basic realm="x"'}))
        bad.on("GET", "/blobs/", EndEarly(1_500_000), *[Answer(500)] * 9)
        with registries(tmp_path, bad.url, good.url) as client:
            hub = client.repository(parse("app"), Credentials("me", "secret"))
            assert hub.manifest("1").data == MANIFEST
            assert b"".join(hub.blob(descriptor(DATA), Cancel())) == DATA
        # What the first gave is kept: the second is asked for the rest alone.
        assert "Range" in good.asked[-1].headers
        shown = [a for r in (bad, good) for a in r.asked if "Authorization" in a.headers]
        assert shown == []
        assert good.asked[0].path == "/v2/library/app/manifests/1"


def test_a_mirror_that_lies_is_not_asked_again(tmp_path: Path) -> None:
    with FaultyRegistry() as liar, FaultyRegistry() as good:
        for registry in (liar, good):
            registry.keep(DATA)
        liar.on("GET", "/blobs/", *[Lie(DATA[:-1] + b"!")] * 9)
        with registries(tmp_path, liar.url, good.url) as client:
            hub = client.repository(parse("app"))
            with pytest.raises(BadRegistryAnswerError, match="verification failed"):
                list(hub.blob(descriptor(DATA), Cancel()))
            assert b"".join(hub.blob(descriptor(DATA), Cancel())) == DATA
        assert liar.count("GET", "/blobs/") == 1


def test_a_mirror_of_hosts_toml_is_told_the_namespace(tmp_path: Path) -> None:
    with FaultyRegistry() as mirror:
        mirror.tag("1", MANIFEST)
        text = f"""
        [host."{mirror.url}"]
        capabilities = ["pull", "resolve"]
        header = {{ x-key = "k" }}
        """
        rules(tmp_path, "reg.invalid", text)
        with registries(tmp_path) as client:
            found = client.repository(parse("reg.invalid/app"), Credentials("me", "secret"))
            assert found.manifest("1").data == MANIFEST
            with pytest.raises(RegistryError):
                found.put_manifest("1", "application/json", b"{}")
        (asked,) = mirror.asked
        assert asked.path == "/v2/app/manifests/1?ns=reg.invalid"
        assert asked.headers["x-key"] == "k"
        assert "Authorization" not in asked.headers


def test_plain_http_is_remembered(tmp_path: Path) -> None:
    with FaultyRegistry() as plain, registries(tmp_path) as client:
        plain.tag("1", MANIFEST)
        for _ in range(3):
            client.repository(parse(f"{plain.host}/app")).manifest("1")
        assert plain.count("GET", "/manifests/") == 3


def test_a_proxy_is_asked(tmp_path: Path) -> None:
    with FaultyRegistry() as proxy:
        proxy.tag("1", MANIFEST)
        settings = RegistrySettings(
            insecure=("reg.invalid",),
            cert_directories=(str(tmp_path),),
            proxies=Proxies(http=proxy.url.replace("//", "//user:w%40rd@")),
            retries=QUICK,
        )
        client = Registries(settings, "boxship/test")
        assert client.repository(parse("reg.invalid/app")).manifest("1").data == MANIFEST
        client.close()
        (asked,) = proxy.asked
        assert asked.path == "http://reg.invalid/v2/app/manifests/1"
        shown = asked.headers["proxy-authorization"].removeprefix("Basic ")
        assert base64.b64decode(shown) == b"user:w@rd"


# Certificates. What is on the loopback is believed anyway; hosts.toml makes it prove itself.


@pytest.fixture
def certs(tmp_path: Path) -> Path:
    place = tmp_path / "certs.d"
    place.mkdir()
    return place


def looked_at(server: RegistryServer, certs: Path, authority: Authority | None) -> None:
    """Ask the registry, believing `authority` beside the machine's own."""
    ca = f'ca = "{authority.certificate}"' if authority else ""
    rules(certs, server.host, f'server = "https://{server.host}"\n{ca}')
    with registries(certs) as client:
        assert client.repository(parse(f"{server.host}/app")).has_blob(Digest.of(b"x")) is None


def test_an_authority_of_our_own_is_believed(tmp_path: Path, certs: Path) -> None:
    with RegistryServer(tmp_path / "r", tls=True) as server:
        looked_at(server, certs, server.authority)


def test_an_unknown_authority_is_not_believed(tmp_path: Path, certs: Path) -> None:
    with (
        RegistryServer(tmp_path / "r", tls=True) as server,
        pytest.raises(CertificateProblemError, match="unknown authority") as caught,
    ):
        looked_at(server, certs, None)
    assert "certs.d/" in str(caught.value)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), "has no subject alternative names (SAN)"),
        (("other.example",), "certificate is valid for other.example, not 127.0.0.1"),
    ],
    ids=["missing", "another"],
)
def test_names_that_do_not_match_are_told(
    names: tuple[str, ...], told: str, tmp_path: Path, certs: Path
) -> None:
    with (
        RegistryServer(tmp_path / "r", tls=True, names=names) as server,
        pytest.raises(CertificateProblemError) as caught,
    ):
        looked_at(server, certs, server.authority)
    assert told in str(caught.value)
    assert "SAN IP:127.0.0.1" in str(caught.value)


def test_a_common_name_alone_does_not_count(tmp_path: Path, certs: Path) -> None:
    with RegistryServer(tmp_path / "r", tls=True, common_name="localhost", names=()) as server:
        assert server.authority is not None
        host = f"localhost:{server.port}"
        rules(certs, host, f'server = "https://{host}"\nca = "{server.authority.certificate}"')
        with (
            registries(certs) as client,
            pytest.raises(CertificateProblemError, match="SAN DNS:localhost"),
        ):
            client.repository(parse(f"{host}/app")).has_blob(Digest.of(b"x"))


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path, certs: Path) -> None:
    with RegistryServer(tmp_path / "r", tls=True) as server:
        place = certs / server.host
        place.mkdir()
        (place / "ca.crt").write_text("no certificate")
        with (
            registries(certs) as client,
            pytest.raises((CertificateProblemError, RegistryUnavailableError), match=r"ca\.crt"),
        ):
            client.repository(parse(f"{server.host}/app")).manifest("1")


def test_a_changed_certificate_counts_at_once(tmp_path: Path, certs: Path) -> None:
    with RegistryServer(tmp_path / "r", tls=True) as server:
        assert server.authority is not None
        wrong = Authority(tmp_path / "wrong")
        ca = certs / "ca.pem"
        ca.write_bytes(wrong.certificate.read_bytes())
        rules(certs, server.host, f'server = "https://{server.host}"\nca = "{ca}"')
        with registries(certs) as client:
            with pytest.raises(CertificateProblemError):
                client.repository(parse(f"{server.host}/app")).has_blob(Digest.of(b"x"))
            ca.write_bytes(server.authority.certificate.read_bytes())
            assert client.repository(parse(f"{server.host}/app")).has_blob(Digest.of(b"x")) is None
