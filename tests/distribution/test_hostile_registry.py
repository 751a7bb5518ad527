"""Registries that are after something: passwords, memory, time."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.distribution import pages, uploads
from boxship.distribution.cancel import Cancel
from boxship.distribution.credentials import Credentials
from boxship.distribution.errors import (
    BadRegistryAnswerError,
    RegistryError,
    RegistryNotFoundError,
    RegistryUnauthorizedError,
    RegistryUnavailableError,
    TransferCancelledError,
)
from boxship.distribution.registries import Registries
from boxship.distribution.repository import Repository
from boxship.distribution.settings import RegistrySettings, Retries, Timeouts
from boxship.distribution.tls import ClientCertificate, StampedFile, TlsRules
from boxship.distribution.transport import Transport
from boxship.oci.digest import Digest
from boxship.oci.image import Descriptor
from boxship.oci.reference import parse
from support.faultyregistry import Answer, FaultyRegistry, Hang, redirect, refuse
from support.waiting import eventually

DATA = b"0123456789abcdef" * 1000
ME = Credentials("me", "secret")


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as made:
        yield made


@pytest.fixture
def other() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as made:
        yield made


@pytest.fixture
def client() -> Iterator[Registries]:
    settings = RegistrySettings(
        cert_directories=(),
        retries=Retries(attempts=3, first=0.001, longest=1.0),
        timeouts=Timeouts(connect=5, read=5),
    )
    made = Registries(settings, "boxship/test")
    yield made
    made.close()


def described(data: bytes) -> Descriptor:
    digest = str(Digest.of(data))
    return Descriptor(media_type="application/octet-stream", digest=digest, size=len(data))


def repository(client: Registries, registry: FaultyRegistry) -> Repository:
    return client.repository(parse(f"{registry.host}/app"), ME)


def secrets(registry: FaultyRegistry) -> list[str]:
    return [
        asked.headers["Authorization"]
        for asked in registry.asked
        if "Authorization" in asked.headers
    ]


def test_where_a_blob_is_redirected_to_cannot_ask_for_our_password(
    client: Registries, registry: FaultyRegistry, other: FaultyRegistry
) -> None:
    registry.keep(DATA)
    registry.on("GET", "/blobs/", *[redirect(f"{other.url}/v2/x/blobs/{Digest.of(DATA)}")] * 9)
    realm = f'Bearer realm="{other.url}/token",service="x"'
    other.on("GET", "/blobs/", *[Answer(401, {"WWW-Authenticate": realm})] * 9)
    with pytest.raises(RegistryError):
        list(repository(client, registry).blob(described(DATA), Cancel()))
    assert other.count("GET", "/token") == 0
    assert secrets(other) == []


def test_a_login_is_not_led_elsewhere(
    client: Registries, registry: FaultyRegistry, other: FaultyRegistry
) -> None:
    registry.on("GET", "/v2/", redirect(f"{other.url}/v2/"))
    challenge = BEARER.format(f"{other.url}/token")
    other.on("GET", "/v2/", Answer(401, {"WWW-Authenticate": challenge}))
    with pytest.raises(BadRegistryAnswerError, match="log in to that registry"):
        client.login(registry.host, ME)
    assert other.count("GET", "/token") == 0


def test_another_server_that_stands_for_a_registry_gets_no_credentials_of_it(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    place = tmp_path / "reg.example"
    place.mkdir()
    (place / "hosts.toml").write_text(f'server = "{registry.url}"')
    registry.on("GET", "/manifests/", Answer(401, {"WWW-Authenticate": "Basic"}))
    client = Registries(RegistrySettings(cert_directories=(str(tmp_path),)), "boxship/test")
    with pytest.raises(RegistryUnauthorizedError):
        client.repository(parse("reg.example/app"), ME).manifest("latest")
    client.close()
    assert registry.asked and not secrets(registry)


def test_a_password_is_not_posted_along_a_redirect(
    client: Registries, registry: FaultyRegistry, other: FaultyRegistry
) -> None:
    realm = f'Bearer realm="{registry.url}/token",service="x"'
    registry.on("GET", "/manifests/", *[Answer(401, {"WWW-Authenticate": realm})] * 9)
    registry.on("POST", "/token", *[Answer(307, {"Location": f"{other.url}/gotcha"})] * 9)
    name = parse(f"{registry.host}/app")
    with pytest.raises(RegistryError):
        client.repository(name, Credentials("<token>", identity_token="s3cret")).manifest("latest")
    assert other.asked == []


BEARER = 'Bearer realm="{}",service="x"'
NO_PLACES = ["http://[::1", "http://host:abc/", "http://host:99999/", "file:///etc/passwd"]


@pytest.mark.parametrize("length", ["\xb2", "x", "9" * 5000])
def test_a_length_that_is_no_number_is_no_length(
    client: Registries, registry: FaultyRegistry, length: str
) -> None:
    told = {"Content-Length": length, "Docker-Content-Digest": str(Digest.of(b"x"))}
    registry.on("HEAD", "/blobs/", Answer(200, told))
    assert repository(client, registry).has_blob(Digest.of(DATA)) == 0


@pytest.mark.parametrize("wait", ["\xb2", "9" * 5000, "Mon, 01 Jan 0001 00:00:00 +9999"])
def test_a_pause_of_no_length_is_the_usual_one(
    client: Registries, registry: FaultyRegistry, wait: str
) -> None:
    registry.on("GET", "/manifests/", *[Answer(503, {"Retry-After": wait})] * 2)
    registry.tag("latest", b'{"schemaVersion":2}')
    assert repository(client, registry).manifest("latest").data == b'{"schemaVersion":2}'


@pytest.mark.parametrize("place", NO_PLACES)
def test_places_that_are_no_urls(client: Registries, registry: FaultyRegistry, place: str) -> None:
    here = repository(client, registry)
    registry.on("GET", "/blobs/", Answer(307, {"Location": place}))
    registry.on("POST", "/blobs/", Answer(202, {"Location": place}))
    registry.on("GET", "/manifests/", Answer(401, {"WWW-Authenticate": BEARER.format(place)}))
    link = {"Link": f'<{place}>; rel="next"'}
    registry.on("GET", "/tags/", Answer(200, link, b'{"tags":["a"]}'))
    digest = Digest.of(DATA)
    for call in (
        lambda: list(here.tags()),
        lambda: list(here.blob(described(DATA), Cancel())),
        lambda: here.upload([DATA], Cancel(), digest=digest, size=len(DATA)),
        lambda: here.manifest("latest"),
    ):
        with pytest.raises(BadRegistryAnswerError, match=r"leads to|as its token server"):
            call()


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":' * 100_000,
        b'{"token":"s3cret\\r\\nX: y"}',
        '{"token":"s3cret\u0436"}'.encode(),
        b'{"token":""}',
    ],
)
def test_what_is_no_token_is_not_shown(
    client: Registries, registry: FaultyRegistry, body: bytes
) -> None:
    challenge = {"WWW-Authenticate": BEARER.format(f"{registry.url}/token")}
    registry.on("GET", "/manifests/", Answer(401, challenge))
    registry.on("GET", "/token", Answer(200, {}, body))
    with pytest.raises(BadRegistryAnswerError, match="token") as raised:
        repository(client, registry).manifest("latest")
    assert "s3cret" not in str(raised.value)


def test_a_token_server_that_was_no_help_is_not_remembered(
    client: Registries, registry: FaultyRegistry
) -> None:
    bad, good = (
        Answer(401, {"WWW-Authenticate": BEARER.format(f"{registry.url}/{name}")})
        for name in ("bad", "good")
    )
    registry.on("GET", "/manifests/", bad, good)
    registry.on("GET", "/bad", refuse(401, "UNAUTHORIZED"))
    registry.on("GET", "/good", Answer(200, {}, b'{"token":"x"}'))
    registry.tag("latest", b'{"schemaVersion":2}')
    here = repository(client, registry)
    with pytest.raises(RegistryUnauthorizedError):
        here.manifest("latest")
    assert here.manifest("latest").data == b'{"schemaVersion":2}'


def test_a_token_lives_a_day_at_most(client: Registries, registry: FaultyRegistry) -> None:
    challenge = {"WWW-Authenticate": BEARER.format(f"{registry.url}/token")}
    registry.on("GET", "/manifests/", Answer(401, challenge))
    forever = b'{"token":"x","expires_in":' + b"9" * 400 + b"}"
    registry.on("GET", "/token", Answer(200, {}, forever))
    registry.tag("latest", b'{"schemaVersion":2}')
    assert repository(client, registry).manifest("latest").data == b'{"schemaVersion":2}'


def test_our_own_odd_token_is_not_shown(client: Registries, registry: FaultyRegistry) -> None:
    challenge = {"WWW-Authenticate": BEARER.format(f"{registry.url}/token")}
    registry.on("GET", "/manifests/", Answer(401, challenge))
    odd = Credentials(registry_token="s3cret\r\nX: y")
    with pytest.raises(RegistryUnauthorizedError) as raised:
        client.repository(parse(f"{registry.host}/app"), odd).manifest("latest")
    assert "s3cret" not in str(raised.value)


def test_what_a_registry_says_does_not_steer_the_terminal(
    client: Registries, registry: FaultyRegistry
) -> None:
    registry.on("GET", "/manifests/", refuse(404, "MANIFEST_UNKNOWN", "gone\x1b[2J\r\nreally"))
    with pytest.raises(RegistryNotFoundError) as raised:
        repository(client, registry).manifest("latest")
    assert str(raised.value) == "manifest unknown: gone [2J  really"


def test_a_list_of_tags_without_end(
    client: Registries, registry: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_MOST_PAGES", 5)
    links = [{"Link": f'</v2/app/tags/list?last={n}>; rel="next"'} for n in range(9)]
    registry.on("GET", "/tags/", *[Answer(200, link, b'{"tags":["a"]}') for link in links])
    with pytest.raises(BadRegistryAnswerError, match="no end after 5 pages"):
        list(repository(client, registry).tags())


def test_an_answer_that_goes_on_behind_its_length_is_not_drained(
    client: Registries, registry: FaultyRegistry
) -> None:
    """Its connection is ended instead; reading the rest of it could take for ever."""
    endless = {"Content-Length": "1", "Transfer-Encoding": "chunked", "Location": "/v2/elsewhere"}
    registry.on("GET", "/manifests/", Answer(307, endless, b"100000\r\n" + bytes(1000)))
    begun = time.monotonic()
    with pytest.raises(RegistryError):
        repository(client, registry).manifest("latest")
    assert time.monotonic() - begun < 3  # and not the 5 seconds of a read


def test_a_chunk_of_negative_length(client: Registries, registry: FaultyRegistry) -> None:
    chunked = Answer(200, {"Transfer-Encoding": "chunked"}, b"-5\r\nabc\r\n")
    registry.on("GET", "/manifests/", *[chunked] * 3)
    with pytest.raises(RegistryUnavailableError, match="the connection broke"):
        repository(client, registry).manifest("latest")


def test_what_a_cancel_cut_short_is_not_taken_for_all(tmp_path: Path) -> None:
    cancel, head = Cancel(), b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        (tmp_path / host).mkdir()
        (tmp_path / host / "hosts.toml").write_text(f'server = "http://{host}"')

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(head + b'{"schemaVersion":2}')  # without a length
                cancel.cancel()

        serving = threading.Thread(target=serve)
        serving.start()
        client = Registries(RegistrySettings(cert_directories=(str(tmp_path),)), "boxship/test")
        with pytest.raises(TransferCancelledError):
            client.repository(parse(f"{host}/app")).manifest("latest", cancel)
        serving.join()
        client.close()


def test_a_cancelled_upload_does_not_wait_for_the_registry_to_forget_it(
    client: Registries, registry: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_LAST_WORD", 0.2)
    registry.on("PUT", "/", Hang())
    registry.on("DELETE", "/", Hang())
    cancel = Cancel()

    def cancel_when_hung() -> None:
        eventually(lambda: registry.count("PUT", "/") == 1, "the upload hangs")
        cancel.cancel()

    other = threading.Thread(target=cancel_when_hung)
    other.start()
    begun = time.monotonic()
    with pytest.raises(TransferCancelledError):
        repository(client, registry).upload([DATA], cancel, digest=Digest.of(DATA), size=len(DATA))
    other.join()
    assert registry.count("DELETE", "/") == 1
    assert time.monotonic() - begun < 3


def test_who_waits_for_the_token_of_another_can_be_cancelled(
    client: Registries, registry: FaultyRegistry
) -> None:
    registry.tag("first", b'{"schemaVersion":2}')
    repository(client, registry).manifest("first")  # so that plain HTTP is what is spoken
    challenge = {"WWW-Authenticate": BEARER.format(f"{registry.url}/v2/x/blobs/token")}
    registry.on("GET", "/manifests/", *[Answer(401, challenge)] * 2)
    registry.keep(b"")
    registry.on("GET", "/token", Hang())
    registry.blobs["token"] = b"never comes"
    waiting = threading.Event()

    class Watched(Cancel):
        def check(self) -> None:
            waiting.set()
            super().check()

    slow, quick = Cancel(), Watched()

    def fetch(cancel: Cancel) -> None:
        with pytest.raises(TransferCancelledError):
            repository(client, registry).manifest("latest", cancel)

    threads = [threading.Thread(target=fetch, args=[cancel]) for cancel in (slow, quick)]
    threads[0].start()
    eventually(lambda: registry.count("GET", "/token") == 1, "the token server hangs")
    threads[1].start()
    looked = waiting.wait(3)
    quick.cancel()
    threads[1].join(3)
    ended = not threads[1].is_alive()
    slow.cancel()
    for thread in threads:
        thread.join()
    assert looked and ended


def test_tls_is_not_left_and_our_certificate_not_shown_elsewhere() -> None:
    shown = ClientCertificate(StampedFile("c", 1), StampedFile("k", 1))
    ours = TlsRules(clients=(shown,))
    transport = Transport(RegistrySettings(), "boxship/test", lambda _: TlsRules())
    with pytest.raises(BadRegistryAnswerError, match="without encryption"):
        transport.rules_elsewhere("https://reg.test/v2/", "http://reg.test/v2/up", ours)
    assert transport.rules_elsewhere("https://reg.test/", "https://store.test/", ours).clients == ()
    insecure = Transport(RegistrySettings(), "boxship/test", lambda _: TlsRules(verify=False))
    insecure.rules_elsewhere("https://reg.test/v2/", "http://10.0.0.1/up", ours)


def test_an_upload_elsewhere_goes_there_without_credentials(
    client: Registries, registry: FaultyRegistry, other: FaultyRegistry
) -> None:
    challenge = {"WWW-Authenticate": "Basic"}
    registry.on("POST", "/", Answer(401, challenge))
    other.uploads["1"] = bytearray()
    registry.on("POST", "/", Answer(202, {"Location": f"{other.url}/v2/app/blobs/uploads/1"}))
    digest = Digest.of(DATA)
    repository(client, registry).upload([DATA], Cancel(), digest=digest, size=len(DATA))
    assert str(digest) in other.blobs
    assert secrets(registry) and not secrets(other)
