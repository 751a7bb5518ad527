"""Registries that fail, lie, hang and go round in circles."""

import hashlib
import threading
import time
from collections.abc import Iterator

import pytest

from boxship.distribution.cancel import Cancel
from boxship.distribution.credentials import Credentials
from boxship.distribution.errors import (
    BadRegistryAnswerError,
    RateLimitedError,
    RegistryDeniedError,
    RegistryError,
    RegistryNotFoundError,
    RegistryUnauthorizedError,
    RegistryUnavailableError,
    TransferCancelledError,
)
from boxship.distribution.registries import Registries
from boxship.distribution.repository import Repository
from boxship.distribution.settings import RegistrySettings, Retries, Timeouts
from boxship.oci.digest import Digest
from boxship.oci.image import Descriptor
from boxship.oci.reference import parse
from support.faultyregistry import (
    Answer,
    BreakOff,
    BreakUpload,
    EndEarly,
    Fault,
    FaultyRegistry,
    Hang,
    IgnoreRange,
    Lie,
    redirect,
    refuse,
)
from support.waiting import eventually

DATA = hashlib.sha512(b"seed").digest() * 50_000  # 3.2 MB
QUICK = Retries(attempts=4, first=0.001, longest=1.0)
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
        cert_directories=(), retries=QUICK, timeouts=Timeouts(connect=5, read=5)
    )
    made = Registries(settings, "boxship/test")
    yield made
    made.close()


def described(data: bytes) -> Descriptor:
    digest = str(Digest.of(data))
    return Descriptor(media_type="application/octet-stream", digest=digest, size=len(data))


def repository(client: Registries, registry: FaultyRegistry) -> Repository:
    return client.repository(parse(f"{registry.host}/app"))


def fetch(client: Registries, registry: FaultyRegistry, data: bytes = DATA) -> bytes:
    found = repository(client, registry).blob(described(data), Cancel())
    return b"".join(bytes(piece) for piece in found)


@pytest.mark.parametrize(
    "faults",
    [
        [BreakOff(1_500_000)],
        [EndEarly(2_000_000)],
        [BreakOff(1_200_000), BreakOff(1_200_000)],
        [BreakOff(1_200_000), IgnoreRange()],
        [BreakOff(0), BreakOff(0), Answer(503), BreakOff(1_100_000), Answer(502), Answer(500)],
        [refuse(429, "TOOMANYREQUESTS", Retry_After="0")],
    ],
    ids=["reset", "ended", "twice", "range-ignored", "often", "too-many"],
)
def test_a_broken_download_is_finished(faults: list[Fault], registry, client) -> None:
    registry.keep(DATA)
    registry.on("GET", "/blobs/", *faults)
    assert fetch(client, registry) == DATA
    finishes = isinstance(faults[-1], IgnoreRange)
    assert registry.count("GET", "/blobs/") == len(faults) + (not finishes)


def test_only_what_is_missing_is_asked_for_again(registry, client) -> None:
    registry.keep(DATA)
    registry.on("GET", "/blobs/", EndEarly(2_000_000))
    assert fetch(client, registry) == DATA
    ranges = [asked.headers.get("Range") for asked in registry.asked if "/blobs/" in asked.path]
    assert ranges[0] is None
    # Up to one piece that was on its way is asked for twice.
    assert 950_000 < int(ranges[-1].removeprefix("bytes=").removesuffix("-")) <= 2_000_000


def test_retries_end(registry, client) -> None:
    registry.keep(DATA)
    registry.on("GET", "/blobs/", *[Answer(503)] * 9)
    retried: list[int] = []
    with pytest.raises(RegistryUnavailableError, match="503 Service Unavailable"):
        list(
            repository(client, registry).blob(
                described(DATA), Cancel(), lambda retry: retried.append(retry.attempt)
            )
        )
    assert retried == [1, 2, 3]
    assert registry.count("GET", "/blobs/") == QUICK.attempts


def test_a_wait_that_is_too_long_is_told_at_once(registry, client) -> None:
    registry.tag("1", b'{"schemaVersion":2}')
    registry.on("GET", "/manifests/", refuse(429, "TOOMANYREQUESTS", "slow down", Retry_After="99"))
    with pytest.raises(RateLimitedError, match="toomanyrequests: slow down") as caught:
        repository(client, registry).manifest("1")
    assert caught.value.retry_after == 99


def test_retry_after_is_honoured(registry, client) -> None:
    registry.tag("1", b'{"schemaVersion":2}')
    registry.on("GET", "/manifests/", refuse(429, "TOOMANYREQUESTS", Retry_After="1"))
    begun = time.monotonic()
    repository(client, registry).manifest("1")
    assert time.monotonic() - begun >= 1


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (refuse(401, "UNAUTHORIZED", "no"), RegistryUnauthorizedError, "unauthorized: no"),
        (refuse(403, "DENIED", "not yours"), RegistryDeniedError, "denied: not yours"),
        (refuse(404, "NAME_UNKNOWN", "what?"), RegistryNotFoundError, "name unknown: what?"),
        (Answer(404), RegistryNotFoundError, "manifest unknown: manifest unknown"),
        (refuse(418, "ODD", "tea"), BadRegistryAnswerError, "odd: tea"),
        (Answer(500, {}, b"<html>"), RegistryUnavailableError, "500 Internal Server Error"),
    ],
)
def test_refusals_are_told(answer, kind, told, registry, client) -> None:
    registry.on("GET", "/manifests/", *[answer] * QUICK.attempts)
    with pytest.raises(kind) as caught:
        repository(client, registry).manifest("1")
    assert told in caught.value.told


@pytest.mark.parametrize(
    "body",
    [DATA[:-1] + b"x", DATA[:-1], DATA + b"x"],
    ids=["digest", "too-short", "too-long"],
)
def test_a_lie_is_not_believed(body, registry, client) -> None:
    registry.keep(DATA)
    registry.on("GET", "/blobs/", *[Lie(body)] * QUICK.attempts)
    with pytest.raises(BadRegistryAnswerError):
        fetch(client, registry)
    assert registry.count("GET", "/blobs/") == 1


def test_a_length_that_is_not_announced_is_checked(registry, client) -> None:
    registry.keep(DATA)
    # Without a length the end of the connection is the end of the body.
    registry.on("GET", "/blobs/", Answer(200, {"Transfer-Encoding": "chunked"}, _chunked(DATA * 2)))
    with pytest.raises(BadRegistryAnswerError, match="more than the"):
        fetch(client, registry)


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n" % len(data) + data + b"\r\n0\r\n\r\n"


def test_the_wrong_part_is_not_taken(registry, client) -> None:
    registry.keep(DATA)
    wrong = {"Content-Range": f"bytes 3000000-3199999/{len(DATA)}"}
    registry.on("GET", "/blobs/", EndEarly(2_000_000), Answer(206, wrong, DATA[3_000_000:]))
    with pytest.raises(BadRegistryAnswerError, match="asked for bytes from"):
        fetch(client, registry)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(200, {"Content-Type": "text/html"}, b"<html>"), "content type text/html"),
        (Answer(200, {"Content-Type": "application/json"}, b"{}"), "which is no manifest"),
        (Answer(200, {}, b"x" * (9 << 20)), "more than"),
    ],
    ids=["portal", "something", "huge"],
)
def test_what_is_no_manifest_is_refused(answer, told, registry, client) -> None:
    registry.on("GET", "/manifests/", answer)
    with pytest.raises(BadRegistryAnswerError, match=told):
        repository(client, registry).manifest("1")


def test_a_registry_without_head_is_asked_otherwise(registry, client) -> None:
    digest = registry.tag("1", b'{"schemaVersion":2}')
    registry.on("HEAD", "/manifests/", Answer(405))
    assert repository(client, registry).resolve("1").digest == digest


def test_a_manifest_under_a_wrong_digest_is_refused(registry, client) -> None:
    digest = Digest.parse(registry.tag("1", b'{"schemaVersion":2}'))
    registry.on("GET", "/manifests/", Lie(b'{"schemaVersion":2,"evil":true}'))
    with pytest.raises(BadRegistryAnswerError, match="verification failed for digest"):
        repository(client, registry).manifest(digest)


def test_redirects_are_followed_without_secrets(registry, other, client) -> None:
    digest = other.keep(DATA)
    basic = Answer(401, {"WWW-Authenticate": 'Basic realm="x"'})
    away = redirect(f"http://localhost:{other.host.rpartition(':')[2]}/v2/app/blobs/{digest}?sig=1")
    registry.on("GET", "/blobs/", basic, away)
    found = client.repository(parse(f"{registry.host}/app"), ME).blob(described(DATA), Cancel())
    assert b"".join(found) == DATA
    assert "Authorization" in registry.asked[-1].headers
    assert "Authorization" not in other.asked[-1].headers


@pytest.mark.parametrize(
    "targets", [["/v2/app/blobs/a"] * 2, [f"/v2/app/blobs/{n}" for n in range(20)]]
)
def test_circles_end(targets, registry, client) -> None:
    registry.on("GET", "/blobs/", *[redirect(target) for target in targets])
    with pytest.raises(BadRegistryAnswerError, match=r"redirects in a circle|was redirected 10"):
        fetch(client, registry)


def test_a_redirect_to_elsewhere_than_http_is_refused(registry, client) -> None:
    registry.on("GET", "/blobs/", redirect("file:///etc/passwd"))
    with pytest.raises(BadRegistryAnswerError, match="no URL of http or https"):
        fetch(client, registry)


def test_silence_ends_by_the_timeout(registry) -> None:
    settings = RegistrySettings(
        cert_directories=(), retries=Retries(attempts=1), timeouts=Timeouts(read=0.2)
    )
    client = Registries(settings, "boxship/test")
    registry.keep(DATA)
    registry.on("GET", "/blobs/", Hang(), Hang(1000))
    for _ in range(2):
        with pytest.raises(RegistryUnavailableError, match="no answer in time"):
            fetch(client, registry)
    client.close()


@pytest.mark.parametrize("after", [0, 1_500_000], ids=["before-headers-end", "in-the-body"])
def test_cancelling_ends_a_blocked_read_at_once(after: int, registry, client) -> None:
    registry.keep(DATA)
    registry.on("GET", "/blobs/", Hang(after))
    cancel, ended = Cancel(), []

    def read() -> None:
        try:
            list(repository(client, registry).blob(described(DATA), cancel))
        except RegistryError as error:
            ended.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    eventually(lambda: registry.count("GET", "/blobs/"), "the request")
    begun = time.monotonic()
    cancel.cancel()
    thread.join()
    assert time.monotonic() - begun < 2
    assert [type(error) for error in ended] == [TransferCancelledError]


def test_connections_are_used_again(registry, client) -> None:
    registry.tag("1", b'{"schemaVersion":2}')
    found = repository(client, registry)
    before = threading.active_count()
    for _ in range(5):
        found.manifest("1")
    # A thread of the registry per connection.
    assert threading.active_count() <= before + 1


# Uploads


def chunks(data: bytes = DATA) -> Iterator[bytes]:
    for at in range(0, len(data), 100_000):
        yield data[at : at + 100_000]


def test_a_broken_upload_goes_on_where_the_registry_is(registry, client) -> None:
    registry.on("PATCH", "/uploads/", BreakUpload(1_500_000))
    assert repository(client, registry).upload(chunks(), Cancel()) == Digest.of(DATA)
    assert registry.blobs[str(Digest.of(DATA))] == DATA
    assert registry.count("PATCH", "/uploads/") == 2


def test_a_registry_that_tells_no_offset_fails_and_keeps_nothing(registry, client) -> None:
    registry.tells_offset = False
    registry.on("PATCH", "/uploads/", BreakUpload(1_500_000))
    with pytest.raises(RegistryUnavailableError):
        repository(client, registry).upload(chunks(), Cancel())
    assert registry.uploads == {}
    assert registry.blobs == {}


def test_a_known_blob_goes_in_one_request(registry, client) -> None:
    digest = Digest.of(DATA)
    found = repository(client, registry).upload(chunks(), Cancel(), digest=digest, size=len(DATA))
    assert found == digest
    assert [asked.method for asked in registry.asked if "/uploads/" in asked.path] == [
        "POST",
        "PUT",
    ]


@pytest.mark.parametrize("known", [True, False])
def test_what_the_source_raises_comes_out(known: bool, registry, client) -> None:
    class DamagedError(OSError):
        pass

    def damaged() -> Iterator[bytes]:
        yield DATA[:200_000]
        raise DamagedError

    sizes = {"digest": Digest.of(DATA), "size": len(DATA)} if known else {}
    with pytest.raises(DamagedError):
        repository(client, registry).upload(damaged(), Cancel(), **sizes)
    assert registry.uploads == {}


@pytest.mark.parametrize("wrong", [DATA[:-1], DATA + b"x", b"x" + DATA[1:]])
def test_what_was_not_announced_is_not_stored(wrong: bytes, registry, client) -> None:
    digest = Digest.of(DATA)
    with pytest.raises(BadRegistryAnswerError):
        repository(client, registry).upload(chunks(wrong), Cancel(), digest=digest, size=len(DATA))
    assert registry.blobs.get(str(digest), DATA) == DATA
    assert registry.uploads == {}


def test_a_refused_manifest_is_told(registry, client) -> None:
    registry.on("PUT", "/manifests/", refuse(403, "DENIED", "requested access is denied"))
    with pytest.raises(RegistryDeniedError, match="denied: requested access is denied"):
        repository(client, registry).put_manifest("1", "application/json", b"{}")


def test_a_manifest_that_was_stored_as_another_is_noticed(registry, client) -> None:
    claimed = {"Docker-Content-Digest": "sha256:" + "0" * 64}
    registry.on("PUT", "/manifests/", Answer(201, claimed))
    with pytest.raises(BadRegistryAnswerError, match="claims"):
        repository(client, registry).put_manifest("1", "application/json", b"{}")


def test_tags_that_go_in_a_circle_end(registry, client) -> None:
    page = Answer(200, {"Link": '</v2/app/tags/list?n=1000&last=a>; rel="next"'}, b'{"tags":["a"]}')
    registry.on("GET", "/tags/", *[page] * 9)
    with pytest.raises(BadRegistryAnswerError, match="circle"):
        list(repository(client, registry).tags())


def test_tags_come_page_by_page(registry, client) -> None:
    link = '</v2/app/other>; rel="other", </v2/app/tags/list?last=b>; rel=next'
    registry.on(
        "GET",
        "/tags/",
        Answer(200, {"Link": link}, b'{"tags":["a","b"]}'),
        Answer(200, {}, b'{"tags":["c"]}'),
    )
    assert list(repository(client, registry).tags()) == ["a", "b", "c"]
