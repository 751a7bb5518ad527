"""What `POST /build` may be asked for, as it reaches the steps and the image."""

import base64
import functools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import docker
import pytest

from support.builds.asking import Built, build, build_with, context
from support.engine import Engine
from support.registries import RegistryServer

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

BASE = "FROM busybox\n"


def ask(engine: Engine, data: bytes, **query: object) -> Built:
    built = build(engine.api, data, **{"networkmode": "none", **query})
    assert not built.error, built
    return built


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Not to the terminal of the tests."""


@contextmanager
def served(directory: Path) -> Iterator[str]:
    handler = functools.partial(_Silent, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_contexts_that_the_daemon_fetches(engine: Engine, tmp_path: Path) -> None:
    """A Dockerfile alone, an archive, an archive with the Dockerfile elsewhere."""
    (tmp_path / "plain").write_text(BASE + "RUN echo alone\n")
    (tmp_path / "packed.tar").write_bytes(context(BASE + "COPY f /f\nRUN cat /f\n", {"f": b"in"}))
    other = context(BASE, {"docker/Other": b"FROM busybox\nCOPY f /\nRUN cat /f\n", "f": b"other"})
    (tmp_path / "other.tar").write_bytes(other)
    with served(tmp_path) as url:
        assert "\nalone\n" in ask(engine, b"", remote=f"{url}/plain").said
        assert "\nin" in ask(engine, b"", remote=f"{url}/packed.tar").said
        found = ask(engine, b"", remote=f"{url}/other.tar", dockerfile="docker/Other")
        assert "\nother" in found.said
        missing = build(engine.api, b"", remote=f"{url}/nothing")
    assert missing.status >= 400
    assert "nothing" in missing.error
    odd = build(engine.api, b"", remote="foo://x")
    assert odd.status == 400
    assert "foo://x" in odd.error


def test_limits_and_hosts_reach_the_steps(engine: Engine) -> None:
    script = (
        "ulimit -n; ulimit -Hn; df -m /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2; "
        "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max cpu/cpu.cfs_quota_us "
        "cpu.max 2>/dev/null | cut -d' ' -f1; grep db /etc/hosts"
    )
    built = ask(
        engine,
        context(f"{BASE}RUN {script}\n"),
        ulimits=json.dumps([{"Name": "nofile", "Soft": 77, "Hard": 99}]),
        shmsize=8 << 20,
        memory=64 << 20,
        cpuquota=50_000,
        extrahosts="db:10.0.0.1",
    )
    for line in ("77", "99", "8", str(64 << 20), "50000", "10.0.0.1\tdb"):
        assert f"\n{line}\n" in built.said, built.said


def test_nothing_is_taken_from_before(engine: Engine) -> None:
    data = context(BASE + "RUN head -c 8 /dev/urandom | od -x > /r\nRUN true\n")
    first, again, anew = (ask(engine, data, nocache=value) for value in (1, 0, 1))
    assert (first.cached, again.cached, anew.cached) == (0, 2, 0)
    assert again.image == first.image != anew.image


def test_one_layer_of_all(engine: Engine) -> None:
    data = context(BASE + "RUN echo 1 > /one\nRUN echo 2 > /two; rm /one\n")
    flat = engine.api.get(f"/images/{ask(engine, data, squash=1).image}/json").json()
    whole = engine.api.get(f"/images/{ask(engine, data).image}/json").json()
    assert len(flat["RootFS"]["Layers"]) == 2
    assert len(whole["RootFS"]["Layers"]) == 3


def test_images_that_are_not_there_are_no_cache_and_no_fault(engine: Engine) -> None:
    names = '["127.0.0.1:1/a:1", "127.0.0.1:1/nope"]'
    built = ask(engine, context(BASE + "RUN echo x\n"), cachefrom=names)
    assert built.image


def test_docker_py_builds(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        "FROM busybox AS a\nARG V\nRUN echo $V > /v\nFROM a\nRUN exit 9\n"
    )
    client = docker.DockerClient(base_url=f"unix://{engine.socket}", timeout=30)
    try:
        image, lines = client.images.build(
            path=str(tmp_path), tag="py:1", buildargs={"V": "given"}, target="a", rm=True,
            labels={"l": "x"}, network_mode="none", container_limits={"memory": 64 << 20},
            extra_hosts={"h": "10.0.0.2"}, pull=False, nocache=True,
        )  # fmt: skip
        assert image.tags == ["py:1"]
        assert image.labels == {"l": "x"}
        assert any("Step 3/" in line.get("stream", "") for line in lines)
        with pytest.raises(docker.errors.BuildError, match="returned a non-zero code: 9"):
            client.images.build(path=str(tmp_path), buildargs={"V": "given"}, network_mode="none")
        image.remove(force=True)
    finally:
        client.close()


def test_a_base_image_of_a_private_registry(make_engine: Callable[..., Engine]) -> None:
    """`X-Registry-Config` is for the registry that it names, and for no other."""
    own = make_engine()  # it keeps its connections to registries
    own.start()
    own.load("busybox")
    with RegistryServer(users={"me": "hush"}) as registry:
        name = f"{registry.host}/deep/base:1"
        login = {"username": "me", "password": "hush"}
        client = docker.APIClient(base_url=f"unix://{own.socket}", version="1.41", timeout=30)
        try:
            client.tag("busybox", f"{registry.host}/deep/base", "1")
            client.push(name, auth_config=login)
            client.remove_image(name)
        finally:
            client.close()
        data = context(f"FROM {name}\nRUN echo found\n")
        refused = build(own.api, data, networkmode="none", pull=1)
        header = base64.urlsafe_b64encode(json.dumps({registry.host: login}).encode()).decode()
        wanted = {"networkmode": "none", "pull": 1, "t": "upon"}
        built = build_with({"X-Registry-Config": header}, own.api, data, wanted)
    assert registry.host in refused.error
    assert "Successfully" not in refused.said
    assert "\nfound\n" in built.said, built


def test_a_step_in_the_network_of_a_container(engine: Engine) -> None:
    container = engine.api.create("served", Cmd=["httpd", "-f", "-p", "127.0.0.1:80", "-h", "/etc"])
    engine.api.start(container)
    data = context(BASE + "RUN until wget -qO- http://127.0.0.1/group; do sleep 0.05; done\n")
    assert "root:x:0:" in ask(engine, data, networkmode="container:served").said
    missing = build(engine.api, context(BASE + "RUN date\n"), networkmode="container:nobody")
    assert "nobody" in missing.error


MEETING = """FROM busybox AS {0}
RUN --mount=type=cache,id={1},target=/m touch /m/{0}; \
    until test -e /m/a && test -e /m/b && test -e /m/c && test -e /m/d; do sleep 0.05; done; \
    echo {0} > /{0}
"""


def test_stages_run_side_by_side(engine: Engine, tmp_path: Path) -> None:
    """Each waits for all the others."""
    stages = "".join(MEETING.format(letter, tmp_path.name) for letter in "abcd")
    copies = "".join(f"COPY --from={letter} /{letter} /all/\n" for letter in "abcd")
    built = ask(engine, context(f"{stages}FROM busybox\n{copies}RUN ls /all\n"))
    assert "\na\nb\nc\nd\n" in built.said


def test_a_dockerfile_from_standard_input(engine: Engine) -> None:
    done = engine.docker.run(
        "build", "--network=none", "--quiet", "-", stdin="FROM busybox\nRUN echo from stdin\n"
    )
    assert done.out.startswith("sha256:"), done
