"""Registries in trouble, seen through Docker's own client: what it is told, and what stays."""

import base64
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.cli import Cli, Done
from support.engine import Engine
from support.pulling import NAME, Published, check_whole, forget_images, publish
from support.registries import RegistryServer
from support.troubled import Cut, Falsify, Hold, Retype, Say, Troubled
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

ATTEMPTS = "--max-download-attempts=2"


@pytest.fixture(scope="module")
def own() -> Iterator[Engine]:
    with Engine(ATTEMPTS) as engine:
        yield engine


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryServer]:
    with RegistryServer() as server:
        yield server


@pytest.fixture(scope="module")
def image(registry: RegistryServer, own: Engine) -> Published:
    return publish(registry, own.boxship)


@pytest.fixture
def troubled(registry: RegistryServer, image: Published, own: Engine) -> Iterator[Troubled]:
    """A way to the image that can be made worse. The engine has no image before and after."""
    with Troubled(registry) as proxy:
        yield proxy
    forget_images(own)
    eventually(lambda: not left(own), "the end of what the pull left")


@pytest.fixture
def docker(own: Engine) -> Cli:
    return own.docker


def left(engine: Engine) -> list[str]:
    """Layers and temporary files, none of which an engine without images and pulls has."""
    layers = engine.data / "layers/sha256"
    return [*os.listdir(engine.data / "tmp"), *os.listdir(layers)]


def pull(docker: Cli, troubled: Troubled) -> Done:
    return docker.run("pull", f"{troubled.host}/{NAME}")


def succeeds(done: Done, engine: Engine) -> None:
    assert done.code == 0, done
    check_whole(engine, 1)


def fails(done: Done, engine: Engine, words: str) -> None:
    assert done.code == 1, done
    assert words in done.err, done
    assert engine.api.get("/images/json").json() == []


def test_a_blob_that_breaks_off_goes_on_where_it_broke(
    docker: Cli, troubled: Troubled, image: Published, own: Engine
) -> None:
    troubled.on(image.layers[0], Cut(after=200_000), times=1)
    succeeds(pull(docker, troubled), own)
    assert len(troubled.ranges) == 1
    first = int(troubled.ranges[0].removeprefix("bytes=").partition("-")[0])
    assert 0 < first <= 200_000


def test_a_blob_that_always_breaks_off_keeps_what_is_whole(
    docker: Cli, troubled: Troubled, image: Published, own: Engine
) -> None:
    troubled.on(image.layers[2], Cut(after=0))
    fails(pull(docker, troubled), own, "")
    troubled.calm()
    succeeds(pull(docker, troubled), own)
    assert troubled.served(image.layers[2]) == 1


def test_a_registry_that_goes_away_in_the_middle(
    docker: Cli, troubled: Troubled, image: Published, own: Engine
) -> None:
    """The layers that were whole are not downloaded again when it is back."""
    hold = Hold(after=1000)
    troubled.on(image.layers[2], hold)
    with pulling(docker, troubled) as client:
        assert hold.reached.wait(20)
        eventually(lambda: len(os.listdir(own.data / "layers/sha256")) == 2, "two whole layers")
        troubled.on("/blobs/", Say(503))
        troubled.hang_up()
        hold.let_go.set()
    fails(client.done, own, "")
    troubled.calm()
    succeeds(pull(docker, troubled), own)
    assert [troubled.served(layer) for layer in image.layers] == [0, 0, 1]


def test_a_blob_with_another_content(
    docker: Cli, troubled: Troubled, image: Published, own: Engine
) -> None:
    troubled.on(image.layers[1], Falsify())
    fails(pull(docker, troubled), own, f"verification failed for digest {image.layers[1]}")


def test_a_blob_that_is_too_long(
    docker: Cli, troubled: Troubled, image: Published, own: Engine
) -> None:
    troubled.on(image.layers[1], Say(200, {"Content-Length": "900000"}, bytes(900_000)))
    fails(pull(docker, troubled), own, "")


def test_a_blob_that_is_too_short(
    docker: Cli, troubled: Troubled, image: Published, own: Engine
) -> None:
    troubled.on(image.layers[1], Say(200, body=b"short"))
    fails(pull(docker, troubled), own, "")


def test_a_manifest_of_another_digest(
    docker: Cli, troubled: Troubled, image: Published, own: Engine
) -> None:
    troubled.on("/manifests/", Falsify(at=30))
    done = docker.run("pull", f"{troubled.host}/faults/app@{image.manifest}")
    fails(done, own, "")


def test_a_manifest_of_another_type(docker: Cli, troubled: Troubled, own: Engine) -> None:
    troubled.on("/manifests/", Retype("text/html"))
    fails(pull(docker, troubled), own, "content type text/html, which is no manifest")


def test_a_web_page_in_the_place_of_a_manifest(
    docker: Cli, troubled: Troubled, own: Engine
) -> None:
    page = b"<html>Please log in to the hotel's network</html>"
    troubled.on("/manifests/", Say(200, {"Content-Type": "text/html"}, page))
    fails(pull(docker, troubled), own, "")


@pytest.mark.parametrize("part", ["/manifests/", "/blobs/"])
def test_redirects_in_circles(docker: Cli, troubled: Troubled, own: Engine, part: str) -> None:
    troubled.on(part, Say(307, {"Location": "/v2/faults/app/manifests/x/blobs/"}))
    fails(pull(docker, troubled), own, "redirects in a circle")
    assert len(troubled.asked) < 60


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "401 Unauthorized"),
        (403, "pull access denied for "),
        (404, "not found"),
        (429, "429 Too Many Requests"),
        (500, "500 Internal Server Error"),
        (503, "503 Service Unavailable"),
    ],
)
def test_refusals(docker: Cli, troubled: Troubled, own: Engine, status: int, words: str) -> None:
    """Of the manifest, and of a blob when the pull is under way."""
    for part in ("/manifests/", "/blobs/"):
        troubled.on(part, Say(status, {"Retry-After": "0"}))
        fails(pull(docker, troubled), own, words)
        troubled.calm()


def test_a_registry_with_too_many_guests_is_asked_again(
    docker: Cli, troubled: Troubled, own: Engine
) -> None:
    troubled.on("/blobs/", Say(429, {"Retry-After": "0"}), times=1)
    succeeds(pull(docker, troubled), own)


def test_a_registry_that_wants_a_password(docker: Cli, troubled: Troubled, own: Engine) -> None:
    troubled.on("/v2/", Say(401, {"WWW-Authenticate": 'Basic realm="here"'}))
    done = pull(docker, troubled)
    fails(done, own, "")
    assert base64.b64encode(b"secret").decode() not in own.log()


def test_two_pulls_at_once_download_once(
    docker: Cli, troubled: Troubled, image: Published, own: Engine
) -> None:
    hold = Hold(after=1000)
    troubled.on(image.layers[0], hold)
    with pulling(docker, troubled) as first:
        assert hold.reached.wait(20)
        with pulling(docker, troubled) as second:
            eventually(lambda: sum("manifests" in one for one in troubled.asked) >= 2, "the second")
            second.told("Pulling fs layer")
            # The store itself lets the second wait a second: this is about what comes after it.
            with pytest.raises(AssertionError):
                eventually(lambda: troubled.served(image.layers[0]) > 1, "it", timeout=1.5)
            hold.let_go.set()
    succeeds(first.done, own)
    succeeds(second.done, own)
    assert [troubled.served(layer) for layer in image.layers] == [1, 1, 1]


def test_a_pull_whose_client_goes_away_leaves_nothing(
    docker: Cli, troubled: Troubled, image: Published, own: Engine
) -> None:
    hold = Hold(after=1000)
    for layer in image.layers:  # one that is whole would be kept for pulls that failed before
        troubled.on(layer, hold)
    with pulling(docker, troubled) as client:
        assert hold.reached.wait(20)
        client.process.kill()
    eventually(lambda: not left(own), "the end of the layers")


def test_a_slow_registry_does_not_hold_up_the_engine(
    docker: Cli, troubled: Troubled, image: Published, own: Engine
) -> None:
    hold = Hold(after=1000)
    for layer in image.layers:
        troubled.on(layer, hold)
    with pulling(docker, troubled) as client:
        assert hold.reached.wait(20)
        assert docker("images", "--quiet") == ""
        hold.let_go.set()
    succeeds(client.done, own)


def test_a_registry_that_is_silent_for_too_long_is_asked_again(
    troubled: Troubled, image: Published
) -> None:
    with Engine(ATTEMPTS, "--registry-read-timeout=1") as engine:
        hold = Hold(after=200_000)
        troubled.on(image.layers[0], hold, times=1)
        try:
            succeeds(pull(engine.docker, troubled), engine)
        finally:
            hold.let_go.set()
        assert troubled.served(image.layers[0]) == 2
        forget_images(engine)


def test_a_daemon_that_is_stopped_meanwhile(troubled: Troubled, image: Published) -> None:
    with Engine(ATTEMPTS) as engine:
        hold = Hold(after=1000)
        troubled.on(image.layers[2], hold)
        with pulling(engine.docker, troubled) as client:
            assert hold.reached.wait(20)
            assert engine.stop() == 0
        assert client.done.code == 1
        hold.let_go.set()
        troubled.calm()
        engine.start()
        succeeds(pull(engine.docker, troubled), engine)
        forget_images(engine)


def test_a_daemon_that_is_killed_meanwhile_goes_on(troubled: Troubled, image: Published) -> None:
    with Engine(ATTEMPTS) as engine:
        hold = Hold(after=1000)
        troubled.on(image.layers[2], hold)
        with pulling(engine.docker, troubled):
            assert hold.reached.wait(20)
            layers = engine.data / "layers/sha256"
            eventually(lambda: len(os.listdir(layers)) == 2, "two whole layers")
            engine.kill()
        hold.let_go.set()
        troubled.calm()
        engine.start()
        assert engine.api.get("/images/json").json() == []
        succeeds(pull(engine.docker, troubled), engine)
        assert [troubled.served(layer) for layer in image.layers] == [0, 0, 1]
        forget_images(engine)


class pulling:  # noqa: N801 - used as a function
    """A `docker pull` beside the test; at the end of the `with` it is over."""

    def __init__(self, docker: Cli, troubled: Troubled) -> None:
        self.process = docker.start("pull", f"{troubled.host}/{NAME}")
        self.done = Done(-1, "", "")
        self._out: list[bytes] = []
        self._news = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> "pulling":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.process.kill()
        self._reader.join(30)
        assert self.process.stderr is not None
        errors = self.process.stderr.read().decode()
        code = self.process.wait(30)
        self.done = Done(code, b"".join(self._out).decode(), errors)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()

    def told(self, words: str) -> None:
        """Wait until the client was told so."""
        eventually(lambda: words.encode() in b"".join(self._out), words)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._out.append(line)


def test_the_proxy_is_the_registry(troubled: Troubled, docker: Cli, own: Engine) -> None:
    """Without trouble all is well: what the other tests see is their trouble."""
    succeeds(pull(docker, troubled), own)
    assert Path(own.data / "layers/sha256").exists()
