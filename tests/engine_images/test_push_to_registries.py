"""Pushes to Debian's docker-registry: who reads them, who may make them, what trouble does."""

import io
import json
import os
import socket
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.distribution.credentials import Credentials
from boxship.distribution.errors import (
    CertificateProblemError,
    RegistryDeniedError,
    RegistryError,
    RegistryUnauthorizedError,
    RegistryUnavailableError,
)
from boxship.distribution.registries import Registries
from boxship.distribution.settings import RegistrySettings, Retries
from boxship.engine.images.pulling import PullRequest
from boxship.engine.images.pushing import Pusher, PushRequest
from boxship.model.image import LayerTransfer, TransferDigest, TransferEvent, TransferPhase
from boxship.oci import reference
from support.dockerd import Dockerd
from support.programs import needs, required
from support.registries import RegistryServer
from support.shop import Shop, docker_archive, run, sample
from support.tars import Member, directory, hard_link, symlink, tar

pytestmark = pytest.mark.privileged

LOW = tar(
    directory("etc", mode=0o750, uid=3, gid=4),
    Member("etc/set", b"s" * 70_000, mode=0o4755, uid=1000),
    hard_link("etc/same", "etc/set"),
    symlink("etc/link", "../elsewhere"),
    Member("etc/gone", b"x"),
)
HIGH = tar(Member("etc/.wh.gone"), Member("new", b"new"))
IMAGE = sample(LOW, HIGH, Labels={"a": "b"})
BIG = sample(tar(Member("big", os.urandom(24 << 20))))
ME = Credentials("me", "secret")


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


def tell(shop: Shop, name: str, credentials: Credentials | None = None) -> list[TransferEvent]:
    """Push and return everything that was told."""

    async def gather() -> list[TransferEvent]:
        request = PushRequest(reference.parse(name), credentials=credentials)
        return [event async for event in shop.images.push(request)]

    return run(gather())


def push(shop: Shop, name: str, credentials: Credentials | None = None) -> str:
    """Push and return the digest."""
    *_, last = tell(shop, name, credentials)
    assert isinstance(last, TransferDigest)
    return last.digest


def pull(shop: Shop, name: str) -> None:
    async def drain() -> None:
        async for _ in shop.images.pull(PullRequest(reference.parse(name))):
            pass

    run(drain())


def told(events: list[TransferEvent]) -> list[TransferPhase]:
    return [event.phase for event in events if isinstance(event, LayerTransfer)]


def with_registries(shop: Shop, settings: RegistrySettings) -> None:
    shop.registries.close()
    shop.registries = shop.scope.registries = Registries(settings, "boxship-tests")


def command(*words: str | Path) -> str:
    """Run a program that reads registries."""
    words = (required(str(words[0])), *map(str, words[1:]))
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nobody_waits_while_a_name_is_resolved(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of names that is silent would hold up the whole daemon for as long."""
    askers = []

    def resolve(*_: object, **__: object) -> object:
        askers.append(threading.current_thread())
        raise UnicodeError("no name")  # after which, unlike others, nobody asks again

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    name = "registry.test/quiet:1"
    shop.load(docker_archive((IMAGE, [name])))
    with_registries(shop, RegistrySettings())
    for act in (push, pull):
        with pytest.raises(UnicodeError, match="no name"):
            act(shop, name)
    assert len(askers) >= 4  # whether it is one of the insecure, then to connect
    assert threading.main_thread() not in askers


def test_skopeo_reads_it(shop: Shop, registry: RegistryServer) -> None:
    name = f"{registry.host}/skopeo:1"
    shop.load(docker_archive((IMAGE, [name])))
    digest = push(shop, name)
    source = f"docker://{name}"
    assert (
        json.loads(command("skopeo", "inspect", "--tls-verify=false", source))["Digest"] == digest
    )
    config = command("skopeo", "inspect", "--tls-verify=false", "--config", "--raw", source)
    assert config == IMAGE.config.decode()


def test_umoci_unpacks_what_skopeo_copies(
    shop: Shop, registry: RegistryServer, tmp_path: Path
) -> None:
    name = f"{registry.host}/umoci:1"
    shop.load(docker_archive((IMAGE, [name])))
    push(shop, name)
    copied = f"oci:{tmp_path / 'layout'}:1"
    command("skopeo", "copy", "--src-tls-verify=false", f"docker://{name}", copied)
    check_unpacked(tmp_path / "layout:1", tmp_path / "bundle")


def test_umoci_unpacks_what_was_saved(shop: Shop, tmp_path: Path) -> None:
    shop.load(docker_archive((IMAGE, ["saved:1"])))
    with tarfile.open(fileobj=io.BytesIO(shop.save("saved:1"))) as saved:
        saved.extractall(tmp_path / "layout", filter="data")
    check_unpacked(tmp_path / "layout:1", tmp_path / "bundle")


def check_unpacked(image: Path, bundle: Path) -> None:
    """Have umoci unpack an image of an OCI layout and look at what came out."""
    command("umoci", "unpack", "--image", image, bundle)
    root = bundle / "rootfs"
    assert sorted(p.relative_to(root).as_posix() for p in root.rglob("*")) == [
        "etc",
        "etc/link",
        "etc/same",
        "etc/set",
        "new",
    ]
    found = (root / "etc/set").stat()
    assert (found.st_mode, found.st_uid, found.st_nlink) == (0o104755, 1000, 2)


def test_podman_pulls_the_same_image(shop: Shop, registry: RegistryServer) -> None:
    name = f"{registry.host}/podman:1"
    shop.load(docker_archive((IMAGE, [name])))
    push(shop, name)
    with tempfile.TemporaryDirectory(prefix="bx-") as place:  # podman: at most 50 characters
        podman = ["podman", f"--root={place}/r", f"--runroot={place}/rr", "--storage-driver=vfs"]
        pulled = command(*podman, "pull", "-q", "--tls-verify=false", name)
    assert f"sha256:{pulled.strip()}" == IMAGE.id


@needs("dockerd")
def test_round_trip_through_dockerd(shop: Shop, registry: RegistryServer, tmp_path: Path) -> None:
    """Loaded and saved by us, loaded and pushed by dockerd, pulled and pushed by us again."""
    theirs, ours = f"{registry.host}/theirs:1", f"{registry.host}/ours"
    shop.load(docker_archive((IMAGE, [theirs])))
    (tmp_path / "saved.tar").write_bytes(shop.save(theirs))
    with Dockerd("--bridge=none", "--iptables=false", own_network=False) as engine:
        engine.docker("load", "-i", str(tmp_path / "saved.tar"))
        assert json.loads(engine.docker("image", "inspect", theirs))[0]["Id"] == IMAGE.id
        engine.docker("push", "-q", theirs)
        (digest,) = json.loads(engine.docker("image", "inspect", theirs))[0]["RepoDigests"]
        other = Shop(tmp_path / "other")
        try:
            pull(other, theirs)
            detail = other.images.inspect(theirs)
            assert (detail.id, detail.digests) == (IMAGE.id, (digest,))
            assert detail.layers == shop.images.inspect(theirs).layers
            run(other.images.tag(theirs, ours, "1"))
            assert digest.endswith(push(other, f"{ours}:1"))
        finally:
            other.close()
        # The way back: dockerd pulls what we compressed.
        run(shop.images.tag(theirs, ours, "2"))
        pushed = push(shop, f"{ours}:2")
        engine.docker("rmi", theirs)
        engine.docker("pull", "-q", f"{ours}:2")
        (found,) = json.loads(engine.docker("image", "inspect", f"{ours}:2"))
        assert (found["Id"], found["RepoDigests"]) == (IMAGE.id, [f"{ours}@{pushed}"])


def test_kept_blobs_give_the_same_digest_in_another_registry(
    shop: Shop, registry: RegistryServer, tmp_path: Path
) -> None:
    name = f"{registry.host}/kept:1"
    command("skopeo", "--version")
    shop.load(docker_archive((IMAGE, [name])))
    (tmp_path / "image.tar").write_bytes(shop.save(name))
    source = f"docker-archive:{tmp_path / 'image.tar'}:{name}"
    # skopeo compresses with other settings than we do.
    command("skopeo", "copy", "--dest-tls-verify=false", "-f", "oci", source, f"docker://{name}")
    run(shop.images.remove(name))
    shop.scope.keep_blobs = True
    pull(shop, name)
    (digest,) = shop.images.inspect(name).digests
    with RegistryServer() as second:
        copy = f"{second.host}/copy:1"
        run(shop.images.tag(name, f"{second.host}/copy", "1"))
        assert digest.endswith(push(shop, copy))
    run(shop.images.remove(name))
    assert len(shop.scope.sources.kept_here()) == 2
    run(shop.images.remove(copy))
    assert shop.disk() == {}


@pytest.mark.parametrize("tokens", [False, True], ids=["basic", "tokens"])
def test_credentials_decide(shop: Shop, tokens: bool) -> None:
    with RegistryServer(users={"me": "secret"}, tokens=tokens) as server:
        name = f"{server.host}/mine/app:1"
        shop.load(docker_archive((IMAGE, [name])))
        for wrong in (None, Credentials("me", "guess")):
            with pytest.raises((RegistryUnauthorizedError, RegistryDeniedError)):
                push(shop, name, wrong)
        push(shop, name, ME)
        run(shop.images.tag(name, f"{server.host}/mine/other", "1"))
        events = tell(shop, f"{server.host}/mine/other:1", ME)
        assert told(events).count(TransferPhase.MOUNTED) == 2


def test_tls_with_an_authority_of_ones_own(shop: Shop, tmp_path: Path) -> None:
    with RegistryServer(tls=True) as server:
        name = f"localhost:{server.port}/app:1"
        shop.load(docker_archive((IMAGE, [name])))
        directory = server.trust(tmp_path / "certs.d")
        os.rename(directory / server.host, directory / f"localhost:{server.port}")
        with_registries(shop, RegistrySettings(cert_directories=(str(directory),)))
        assert push(shop, name)


def test_a_registry_that_dies_in_the_middle_and_comes_back(shop: Shop) -> None:
    with RegistryServer() as server:
        name = f"{server.host}/big:1"
        shop.load(docker_archive((BIG, [name])))

        async def troubled() -> list[TransferEvent]:
            events, is_up = [], True
            async for event in shop.images.push(PushRequest(reference.parse(name))):
                events.append(event)
                if not isinstance(event, LayerTransfer):
                    continue
                if event.phase is TransferPhase.PUSHING and event.current and is_up:
                    server.stop()
                    is_up = False
                elif event.phase is TransferPhase.RETRYING and told(events).count(event.phase) == 1:
                    server.start()
            return events

        events = run(troubled())
        assert TransferPhase.RETRYING in told(events)
        assert isinstance(events[-1], TransferDigest)
        command("skopeo", "inspect", "--tls-verify=false", f"docker://{name}")


def test_a_registry_that_stays_dead_is_named(shop: Shop) -> None:
    with RegistryServer() as server:
        name = f"{server.host}/big:1"
        shop.load(docker_archive((IMAGE, [name])))
    pusher = Pusher(shop.scope, at_most=5, retries=Retries(attempts=2, first=0.01))

    async def gather() -> None:
        async for _ in pusher.push(PushRequest(reference.parse(name))):
            pass

    with pytest.raises(RegistryUnavailableError, match=server.host.rpartition(":")[2]):
        run(gather())


def test_a_certificate_nobody_vouches_for_is_refused(shop: Shop, tmp_path: Path) -> None:
    with RegistryServer(tls=True) as server:
        authority = server.trust(tmp_path / "certs.d")
        (authority / server.host / "ca.crt").write_text("no certificate")
        with_registries(shop, RegistrySettings(cert_directories=(str(authority),)))
        name = f"{server.host}/app:1"
        shop.load(docker_archive((IMAGE, [name])))
        with pytest.raises((CertificateProblemError, RegistryError)):
            push(shop, name)
