"""The client against Debian's docker-registry: both ways, with every kind of authorization."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.distribution.cancel import Cancel
from boxship.distribution.credentials import Credentials
from boxship.distribution.errors import (
    RegistryDeniedError,
    RegistryNotFoundError,
    RegistryUnauthorizedError,
    RegistryUnreachableError,
)
from boxship.distribution.registries import Registries
from boxship.distribution.repository import Repository
from boxship.distribution.settings import RegistrySettings
from boxship.oci.digest import Digest
from boxship.oci.image import MANIFEST_TYPE, Descriptor, Manifest, encode
from boxship.oci.reference import parse
from support.registries import RegistryServer

DATA = bytes(range(256)) * 20_000
ME = Credentials("me", "secret")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    with RegistryServer(tmp_path_factory.mktemp("plain")) as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    home = tmp_path_factory.mktemp("guarded")
    with RegistryServer(home, users={"me": "secret"}, tokens=True) as server:
        yield server


@pytest.fixture
def registries() -> Iterator[Registries]:
    made = Registries(RegistrySettings(cert_directories=()), "boxship/test")
    yield made
    made.close()


def pieces(data: bytes, size: int = 300_000) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def descriptor(data: bytes) -> Descriptor:
    return Descriptor(
        media_type="application/octet-stream", digest=str(Digest.of(data)), size=len(data)
    )


def push(repository: Repository, tag: str = "1") -> bytes:
    """An image of one layer; its manifest."""
    cancel = Cancel()
    config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    repository.upload(pieces(DATA), cancel)
    repository.upload([config], cancel, digest=Digest.of(config), size=len(config))
    document = Manifest(descriptor(config), (descriptor(DATA),), 2, MANIFEST_TYPE)
    manifest = encode(document)
    assert repository.put_manifest(tag, MANIFEST_TYPE, manifest) == Digest.of(manifest)
    return manifest


def fetch(repository: Repository, data: bytes = DATA) -> bytes:
    return b"".join(repository.blob(descriptor(data), Cancel()))


def test_what_was_pushed_is_pulled(plain: RegistryServer, registries: Registries) -> None:
    repository = registries.repository(parse(f"{plain.host}/some/app"))
    manifest = push(repository)
    found = repository.resolve("1")
    assert (found.digest, found.size) == (str(Digest.of(manifest)), len(manifest))
    assert repository.manifest("1").data == manifest
    by_digest = repository.manifest(Digest.of(manifest))
    assert (by_digest.data, by_digest.media_type) == (manifest, MANIFEST_TYPE)
    assert fetch(repository) == DATA
    assert repository.has_blob(Digest.of(DATA)) == len(DATA)
    assert list(repository.tags()) == ["1"]


def test_a_missing_manifest_is_told_in_dockers_words(
    plain: RegistryServer, registries: Registries
) -> None:
    repository = registries.repository(parse(f"{plain.host}/no/such"))
    for ask in (repository.resolve, repository.manifest):
        with pytest.raises(RegistryNotFoundError) as caught:
            ask("1")
        assert caught.value.told == "manifest unknown: manifest unknown"
    assert repository.has_blob(Digest.of(b"nothing")) is None


def test_a_blob_is_mounted_from_another_repository(
    plain: RegistryServer, registries: Registries
) -> None:
    push(registries.repository(parse(f"{plain.host}/from/here")))
    target = registries.repository(parse(f"{plain.host}/to/there"))
    assert target.mount(Digest.of(DATA), "from/here")
    assert fetch(target) == DATA
    assert not target.mount(Digest.of(b"nowhere"), "from/here")


def test_all_tags_are_listed(plain: RegistryServer, registries: Registries) -> None:
    repository = registries.repository(parse(f"{plain.host}/many"))
    manifest = push(repository)
    for number in range(2, 5):
        repository.put_manifest(str(number), MANIFEST_TYPE, manifest)
    assert sorted(repository.tags()) == ["1", "2", "3", "4"]


def test_tokens_are_fetched_once_per_scope(guarded: RegistryServer, registries: Registries) -> None:
    assert guarded.tokens is not None
    guarded.tokens.requests.clear()
    repository = registries.repository(parse(f"{guarded.host}/mine/app"), ME)
    push(repository)
    assert fetch(repository) == DATA
    scopes = [query.get("scope") for _, query in guarded.tokens.requests]
    assert sorted(map(str, scopes)) == [
        "['repository:mine/app:pull']",
        "['repository:mine/app:pull,push']",
    ]


def test_an_identity_token_is_exchanged(guarded: RegistryServer, registries: Registries) -> None:
    assert guarded.tokens is not None
    outcome = registries.login(guarded.host, ME)
    assert (outcome.status, outcome.identity_token) == ("Login Succeeded", "refresh-me")
    guarded.tokens.requests.clear()
    known = Credentials(identity_token=outcome.identity_token)
    push(registries.repository(parse(f"{guarded.host}/mine/other"), known))
    assert {method for method, _ in guarded.tokens.requests} == {"POST"}


def test_anybody_may_pull_what_is_public(guarded: RegistryServer, registries: Registries) -> None:
    push(registries.repository(parse(f"{guarded.host}/public/app"), ME))
    anonymous = registries.repository(parse(f"{guarded.host}/public/app"))
    assert fetch(anonymous) == DATA
    with pytest.raises(RegistryDeniedError, match="denied: requested access to the resource"):
        anonymous.upload([b"x"], Cancel())


def test_wrong_passwords_are_told(guarded: RegistryServer, registries: Registries) -> None:
    wrong = replace(ME, password="wrong")
    with pytest.raises(RegistryUnauthorizedError, match="incorrect username or password"):
        registries.login(guarded.host, wrong)
    with pytest.raises(RegistryUnauthorizedError) as caught:
        registries.repository(parse(f"{guarded.host}/mine/app"), wrong).manifest("1")
    assert "wrong" not in repr(caught.value) + str(caught.value)


def test_basic_authentication(tmp_path: Path, registries: Registries) -> None:
    with RegistryServer(tmp_path, users={"me": "secret"}) as server:
        assert registries.login(server.host, ME).identity_token == ""
        with pytest.raises(RegistryUnauthorizedError):
            registries.login(server.host, Credentials("me", "wrong"))
        reference = parse(f"{server.host}/app")
        push(registries.repository(reference, ME))
        assert fetch(registries.repository(reference, ME)) == DATA
        with pytest.raises(RegistryUnauthorizedError, match="no basic auth credentials"):
            registries.repository(reference).manifest("1")


def test_a_registry_with_an_authority_of_its_own(tmp_path: Path) -> None:
    with RegistryServer(tmp_path / "registry", tls=True) as server:
        certs = server.trust(tmp_path / "certs.d")
        trusting = Registries(RegistrySettings(cert_directories=(str(certs),)), "boxship/test")
        push(trusting.repository(parse(f"{server.host}/app")))
        trusting.close()


def test_nobody_listens(registries: Registries) -> None:
    with pytest.raises(RegistryUnreachableError, match="connection refused"):
        registries.repository(parse("127.0.0.1:1/app")).manifest("1")


def test_a_download_goes_on_after_the_registry_was_away(
    tmp_path: Path, registries: Registries
) -> None:
    data = DATA * 8
    with RegistryServer(tmp_path) as server:
        repository = registries.repository(parse(f"{server.host}/app"))
        repository.upload(pieces(data), Cancel())
        retried: list[int] = []
        chunks = repository.blob(descriptor(data), Cancel(), lambda r: retried.append(r.attempt))
        got = [bytes(next(chunks))]
        server.stop()
        server.start()
        got += [bytes(chunk) for chunk in chunks]
    assert b"".join(got) == data
    assert retried
