"""`boxship image copy` between engines and files, also to an engine behind a real ssh and sshd."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cli import Cli
from support.engine import Engine
from support.programs import needs
from support.registries import RegistryServer
from support.sshd import SshHost

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


@pytest.fixture(scope="module")
def far() -> Iterator[Engine]:
    """The engine of another machine."""
    with Engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def over_ssh(far: Engine, tmp_path_factory: pytest.TempPathFactory) -> SshHost:
    """A host whose daemon is `far`."""
    programs = tmp_path_factory.mktemp("programs")
    for name in ("boxship", "docker"):
        (programs / name).symlink_to(Path(sys.executable).parent / "boxship")
    there = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "DOCKER_HOST": f"unix://{far.socket}",
    }
    return SshHost(tmp_path_factory.mktemp("ssh") / "there", there)


@pytest.fixture
def boxship(engine: Engine, over_ssh: SshHost) -> Iterator[Cli]:
    """A client of `engine` that finds our ssh first; its images go again."""
    environment = {"DOCKER_HOST": f"unix://{engine.socket}", "PATH": over_ssh.path}
    yield Cli(engine.boxship.program, environment)
    for image in engine.api.get("/images/json").json():
        for name in image["RepoTags"] or []:
            if name.startswith("copied"):
                engine.api.delete(f"/images/{name}")


def image_id(engine: Engine, name: str) -> str:
    return str(engine.api.get(f"/images/{name}/json").json()["Id"])


def test_an_image_to_another_machine_and_back(boxship: Cli, engine: Engine, far: Engine) -> None:
    first = boxship("image", "copy", "busybox", "ssh://there/copied:1")
    assert image_id(far, "copied:1") == image_id(engine, "busybox")
    assert "Already exists" not in first
    again = boxship("image", "copy", "busybox", "ssh://there/copied:2")
    assert "Already exists" in again  # the layer was not sent
    boxship("image", "copy", "ssh://there/copied:2", "copied:back")
    assert image_id(engine, "copied:back") == image_id(engine, "busybox")
    assert far.docker("run", "--rm", "--net=none", "copied:1", "echo", "hi") == "hi"


def test_the_whole_command_line_over_ssh(boxship: Cli, far: Engine) -> None:
    far.load("busybox")
    assert "busybox" in boxship("-H", "ssh://there", "images")
    ran = boxship.run("-H", "ssh://there", "run", "--rm", "--net=none", "-i", "busybox", "cat",
                      stdin="through\n")  # fmt: skip
    assert (ran.code, ran.out) == (0, "through\n"), ran


def test_an_ssh_that_fails_says_why(boxship: Cli) -> None:
    done = boxship.run("-H", "ssh://nowhere.invalid", "ps")
    assert done.code == 1
    assert "cannot connect to the daemon at ssh://nowhere.invalid: ssh ended with code 255" in (
        done.err
    )
    assert "Could not resolve hostname" in done.err


def test_a_far_daemon_that_is_not_there(engine: Engine, tmp_path: Path) -> None:
    there = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DOCKER_HOST": "unix:///nobody.sock",
    }
    host = SshHost(tmp_path / "there", there)
    client = Cli(engine.boxship.program, {"PATH": host.path})
    done = client.run("-H", "ssh://there", "ps")
    assert done.code == 1
    assert "Cannot connect to the Docker daemon at unix:///nobody.sock" in done.err


def test_docker_over_ssh(docker: Cli, over_ssh: SshHost, far: Engine) -> None:
    """Docker's own client starts `docker system dial-stdio` there: Boxship's under that name."""
    client = Cli(docker.program, {"PATH": over_ssh.path})
    far.load("busybox")
    done = client.run("-H", "ssh://there", "images", "--quiet", "--no-trunc")
    assert image_id(far, "busybox") in done.out, done


@needs("skopeo")
def test_files_that_skopeo_reads(boxship: Cli, engine: Engine, tmp_path: Path) -> None:
    layout, archive = tmp_path / "layout", tmp_path / "image.tar"
    digest = boxship("image", "copy", "--quiet", "busybox", f"oci:{layout}:bb")
    assert boxship("image", "copy", "-q", f"oci:{layout}:bb", f"archive:{archive}:bb") == digest
    for place in (f"oci:{layout}:bb", f"oci-archive:{archive}"):
        command = ["skopeo", "inspect", place]
        found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        assert found["Digest"] == digest
    boxship("image", "copy", f"archive:{archive}", "copied:again")
    assert image_id(engine, "copied:again") == image_id(engine, "busybox")


def test_a_missing_image(boxship: Cli, tmp_path: Path) -> None:
    done = boxship.run("image", "copy", "no/such:1", f"oci:{tmp_path / 'x'}")
    assert done.code == 1
    assert "no/such:1" in done.err
    assert not (tmp_path / "x").exists()


def test_registries_with_the_users_credentials(
    boxship: Cli, engine: Engine, tmp_path: Path
) -> None:
    """Those of config.json, as for pull and push; the password is in no message."""
    with RegistryServer(
        tmp_path / "registry", users={"me": "secret-word"}, tokens=True
    ) as registry:
        place = f"registry:{registry.host}/mine/app:1"
        refused = boxship.run("image", "copy", "busybox", place)
        assert refused.code == 1
        assert "denied" in refused.err
        auth = base64.b64encode(b"me:secret-word").decode()
        (tmp_path / "config").mkdir()
        config = {"auths": {registry.host: {"auth": auth}}}
        (tmp_path / "config/config.json").write_text(json.dumps(config))
        given = ("--config", str(tmp_path / "config"))
        digest = boxship(*given, "image", "copy", "--quiet", "busybox", place)
        again = boxship(*given, "image", "copy", place, f"oci:{tmp_path / 'layout'}")
        assert again.endswith(f"Digest: {digest}")
        assert "secret-word" not in refused.err + again
        boxship(*given, "image", "copy", place, "copied:pulled")
    assert image_id(engine, "copied:pulled") == image_id(engine, "busybox")
