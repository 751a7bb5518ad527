"""Docker's client, Boxship and dockerd, skopeo, podman and umoci around Debian's docker-registry.

Run by ``scripts/try-registries`` in namespaces of its own, where ``registry.test`` is an address
that the daemons are told to take for insecure, and ``trusted.test`` one that has to prove itself.
Every command is printed with what it says; whatever is claimed to be equal is compared, and the
first difference ends the tour.
"""

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from support.cli import Cli
from support.dockerd import Dockerd
from support.engine import Engine
from support.images.catalog import ensure
from support.registries import RegistryServer

ADDRESS, NAME = "192.0.2.10", "registry.test"
TRUSTED_ADDRESS, TRUSTED_NAME = "192.0.2.11", "trusted.test"  # by its certificate alone
USER, PASSWORD = "me", "secret"
KINDS = ("plain", "htpasswd", "token", "tls")
IMAGE = "python:bookworm"
IMAGES = (IMAGE, "python:3.11-slim-bookworm")
CERTIFICATES = Path("/etc/docker/certs.d")


@dataclass
class Tour:
    """Who takes part. ``scratch`` is everybody's place for files."""

    ours: Engine
    docker: Engine
    scratch: Path

    def show(self, title: str, client: Cli, *words: str, stdin: str = "") -> str:
        """Print a command and what it says; it must succeed."""
        print(f"$ {title} {shlex.join(words)}")
        done = client.run(*words, stdin=stdin, timeout=120)
        self.say(done.out + done.err)
        if done.code:
            raise SystemExit(f"it ended with {done.code}")
        return done.out

    def run(self, *words: str) -> str:
        """The same for a program that is no client of an engine."""
        print(f"$ {shlex.join(words)}")
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        self.say(done.stdout + done.stderr)
        if done.returncode:
            raise SystemExit(f"it ended with {done.returncode}")
        return done.stdout

    def same(self, what: str, *values: object) -> None:
        """All are equal, or the tour is over."""
        if any(value != values[0] for value in values):
            raise SystemExit(f"{what} differ: {values}")
        print(f"# {what}: the same {len(values)} times: {str(values[0])[:100]}")

    @staticmethod
    def say(text: str) -> None:
        lines = text.splitlines()
        shown = (
            lines if len(lines) <= 14 else [*lines[:9], f"[… {len(lines) - 12} lines]", *lines[-3:]]
        )
        for line in shown:
            print(f"  {line}")


def visit(tour: Tour, kind: str) -> None:
    """Push to and pull from one kind of registry, and have others read what is there."""
    print(f"\n== {kind}")
    guarded = kind in ("htpasswd", "token")
    with RegistryServer(
        users={USER: PASSWORD} if guarded else None,
        tokens=kind == "token",
        tls=kind == "tls",
        names=(TRUSTED_NAME,),
        address=TRUSTED_ADDRESS if kind == "tls" else ADDRESS,
        name=TRUSTED_NAME if kind == "tls" else NAME,
    ) as server:
        name = f"{server.host}/shop/app:1"
        client = tour.ours.docker
        tour.show("docker", client, "tag", IMAGE, name)
        if kind == "tls":
            _refused(tour, name)
            print(f"# its authority goes to {server.trust(CERTIFICATES) / server.host}/ca.crt")
        if guarded:
            _refused(tour, name)
            login = ("login", "--username", USER, "--password-stdin", server.host)
            tour.show("docker", client, *login, stdin=PASSWORD)
        tour.show("docker", client, "push", name)
        before = _image(client, name)
        _read_by_others(tour, name, before, guarded=guarded, tls=kind == "tls")
        tour.show("docker", client, "rmi", name, *IMAGES)
        tour.show("docker", client, "pull", name)
        for image in IMAGES:
            tour.show("docker", client, "tag", name, image)
        tour.same("image id, diff ids and repository digest", before, _image(client, name))
        tour.show("docker", client, "run", "--rm", "--network=none", name, "cat", "/etc/os-release")
        tour.show("docker", client, "rmi", name)
        if guarded:
            tour.show("docker", client, "logout", server.host)


def round_trip(tour: Tour) -> None:
    """Loaded and saved here, loaded and pushed by dockerd, pulled here."""
    print("\n== there and back")
    archive = tour.scratch / "saved.tar"
    with RegistryServer(address=ADDRESS, name=NAME) as server:
        name = f"{server.host}/shop/round:1"
        ours, theirs = tour.ours.docker, tour.docker.docker
        tour.show("docker -H boxshipd", ours, "save", "-o", str(archive), IMAGE)
        tour.show("docker -H dockerd", theirs, "load", "-i", str(archive))
        tour.same(
            "image id and diff ids",
            _image(ours, IMAGE)[:2],
            _image(theirs, IMAGE)[:2],
        )
        tour.show("docker -H dockerd", theirs, "tag", IMAGE, name)
        tour.show("docker -H dockerd", theirs, "push", name)
        tour.show("docker -H boxshipd", ours, "pull", name)
        tour.same("id, diff ids, digest", _image(theirs, name), _image(ours, name))
        tour.show("docker -H boxshipd", ours, "push", name)
        tour.same("digest at the registry", _digest(tour, name), *_image(ours, name)[2:])
        tour.show("docker -H boxshipd", ours, "rmi", name)
        tour.show("docker -H dockerd", theirs, "rmi", name, IMAGE)


def _refused(tour: Tour, name: str) -> None:
    print(f"$ docker push {name}")
    done = tour.ours.docker.run("push", name)
    tour.say(done.out + done.err)
    if not done.code:
        raise SystemExit("a push that had to be refused went through")


def _read_by_others(
    tour: Tour, name: str, image: Sequence[object], *, guarded: bool, tls: bool
) -> None:
    login = f"{USER}:{PASSWORD}"
    host = name.partition("/")[0]
    trust = ["--cert-dir", str(CERTIFICATES / host)] if tls else ["--tls-verify=false"]
    who = ["--creds", login] if guarded else []
    told = json.loads(tour.run("skopeo", "inspect", *trust, *who, f"docker://{name}"))
    tour.same("repository digest", image[2], f"{name.rpartition(':')[0]}@{told['Digest']}")
    place = tour.scratch / f"podman-{host.rpartition(':')[2]}"
    podman = ["podman", f"--root={place}/root", f"--runroot={place}/run", "--storage-driver=vfs"]
    pulled = tour.run(*podman, "pull", "--quiet", *trust, *who, name).strip()
    tour.same("image id", image[0], f"sha256:{pulled}")
    shutil.rmtree(place)
    layout = tour.scratch / f"oci-{host.rpartition(':')[2]}"
    source = [a.replace("--tls-verify", "--src-tls-verify") for a in trust]
    source = [a.replace("--cert-dir", "--src-cert-dir") for a in source]
    tour.run("skopeo", "copy", "--quiet", *source, *(["--src-creds", login] if guarded else []),
             f"docker://{name}", f"oci:{layout}:1")  # fmt: skip
    if shutil.which("umoci"):
        bundle = tour.scratch / f"bundle-{host.rpartition(':')[2]}"
        tour.run("umoci", "unpack", "--image", f"{layout}:1", str(bundle))
        print("# umoci's root:", *sorted(path.name for path in (bundle / "rootfs").iterdir()))
        shutil.rmtree(bundle)
    shutil.rmtree(layout)


def _image(client: Cli, name: str) -> tuple[object, ...]:
    """Id, diff ids, and the digest in the name's repository, if it has one."""
    (found,) = json.loads(client("image", "inspect", name))
    repository = name.rpartition(":")[0]
    digests = [text for text in found["RepoDigests"] if text.startswith(f"{repository}@")]
    return found["Id"], found["RootFS"]["Layers"], *digests


def _digest(tour: Tour, name: str) -> str:
    told = json.loads(tour.run("skopeo", "inspect", "--tls-verify=false", f"docker://{name}"))
    return f"{name.rpartition(':')[0]}@{told['Digest']}"


def main(kinds: Sequence[str]) -> None:
    flags = [f"--insecure-registry={ADDRESS}/32"]
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bx-tour-")))
        ours = stack.enter_context(Engine(*flags))
        theirs = stack.enter_context(Dockerd(*flags, own_network=False))
        for engine in (ours, theirs):
            engine.docker("load", "-i", str(ensure("python")))
        tour = Tour(ours, theirs, scratch)
        both = [_image(engine.docker, IMAGE) for engine in (ours, theirs)]
        tour.same("image id and diff ids, loaded from one archive", *both)
        theirs.docker("rmi", *IMAGES)
        for kind in kinds:
            visit(tour, kind)
        round_trip(tour)
    print("\nall as it should be")


if __name__ == "__main__":
    main(sys.argv[1:] or KINDS)
