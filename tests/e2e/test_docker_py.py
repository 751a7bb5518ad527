"""docker-py, the library, as scripts use it."""

from collections.abc import Iterator

import docker
import pytest

from support.engine import Engine

pytestmark = [
    pytest.mark.privileged,
    # It leaves the connection of an attach to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def client(engine: Engine) -> Iterator["docker.DockerClient"]:
    made = docker.DockerClient(base_url=f"unix://{engine.socket}", timeout=30)
    yield made
    made.close()


def test_run_attach_exec_logs_wait_remove(client: "docker.DockerClient") -> None:
    assert client.ping()
    assert client.containers.run("busybox", "echo hi", network_mode="none", remove=True) == b"hi\n"

    container = client.containers.create(
        "busybox",
        ["sh", "-c", "read word; echo got $word; sleep 1000"],
        name="worker",
        network_mode="none",
        stdin_open=True,
    )
    stream = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
    container.start()
    stream._sock.sendall(b"this\n")
    assert stream.read(8 + 9)[8:] == b"got this\n"
    stream.close()

    code, output = container.exec_run(["sh", "-c", "echo inside; exit 3"])
    assert (code, output) == (3, b"inside\n")

    lines = container.logs(stream=True, follow=True)
    assert next(lines) == b"got this\n"
    lines.close()

    assert [one.name for one in client.containers.list()] == ["worker"]
    assert container.top()["Processes"]
    container.stop(timeout=0)
    assert container.wait()["StatusCode"] == 137
    container.remove()
    assert client.containers.list(all=True) == []


def test_errors_are_its_own(client: "docker.DockerClient") -> None:
    with pytest.raises(docker.errors.NotFound):
        client.containers.get("nothing")
    with pytest.raises(docker.errors.ContainerError) as failed:
        client.containers.run("busybox", "false", network_mode="none", remove=True)
    assert failed.value.exit_status == 1


def test_images(client: "docker.DockerClient") -> None:
    image = client.images.get("busybox")
    assert "busybox:latest" in image.tags
    archive = b"".join(image.save(named=True))
    (loaded,) = client.images.load(archive)
    assert loaded.id == image.id
