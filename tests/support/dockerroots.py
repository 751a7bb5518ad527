"""Data roots of Docker's own daemon, with a bit of everything in them; the daemon has ended."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.dockerd import Dockerd
from support.engine import Engine
from support.parity.pair import DEBIAN_13

CHANGES = """
mkdir -p /srv/kept /srv/hidden && echo one > /srv/kept/one && echo two > /srv/hidden/two
ln /srv/kept/one /srv/kept/again && ln -s one /srv/kept/link && chown 12:34 /srv/kept/one
"""
WRITTEN = """
echo to stdout; echo to stderr >&2
rm /srv/kept/link; rm -r /srv/hidden && mkdir /srv/hidden && echo new > /srv/hidden/new
echo more >> /srv/kept/one; mkfifo -m 640 /srv/fifo; chmod 1777 /srv/kept; echo data > /data/file
echo own > /own/file; rm /etc/shells 2>/dev/null; exit 3
"""


CONTAINERD = {"features": {"containerd-snapshotter": True}}


@dataclass(frozen=True)
class Kind:
    """A dockerd, and how it keeps things."""

    name: str
    programs: tuple[Path, ...] = ()
    flags: tuple[str, ...] = ()
    configuration: Mapping[str, object] = field(default_factory=dict)

    @contextmanager
    def running(self, namespace: str) -> Iterator[Engine]:
        """Own one that runs in a network namespace, with a bit of everything."""
        docker = Dockerd(*self.flags, namespace=namespace, programs=self.programs)
        (docker.home / "daemon.json").write_text(json.dumps(self.configuration))
        with docker:
            docker.load()
            fill(docker)
            yield docker


KINDS = (
    Kind("Docker 20.10, overlay2"),
    Kind("Docker 26.1, overlay2", DEBIAN_13),
    Kind("Docker 26.1, vfs", DEBIAN_13, ("--storage-driver=vfs",)),
    Kind("Docker 26.1, containerd", DEBIAN_13, configuration=CONTAINERD),
)


def fill(engine: Engine) -> None:
    """Make images, networks, volumes and containers."""
    docker = engine.docker
    docker("run", "--name=maker", "busybox", "sh", "-c", CHANGES)
    docker("commit", "-c", "LABEL made=here", "maker", "registry.test:5000/made/image:1.0")
    docker("tag", "busybox", "other:latest")
    docker("rm", "maker")
    docker(
        *("network", "create", "--subnet=10.83.0.0/24", "--ip-range=10.83.0.128/25"),
        *("--gateway=10.83.0.1", "--label=net=yes", "-o", "com.docker.network.driver.mtu=1400"),
        "backend",
    )
    docker("network", "create", "--internal", "inner")
    docker("volume", "create", "--label=team=ci", "data")
    docker(
        *("volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,uid=7"),
        "memory",
    )
    _containers(engine)


def _containers(engine: Engine) -> None:
    docker = engine.docker
    ended = docker.run(
        *("run", "--name=worker", "--hostname=worker.test", "-e", "A=1"),
        *("--network=backend", "--ip=10.83.0.77", "--network-alias=jobs", "--label=team=ci"),
        *("-v", "data:/data", "-v", "/own", "-v", "/etc:/host:ro", "--memory=64m", "-w", "/srv"),
        *("registry.test:5000/made/image:1.0", "sh", "-c", WRITTEN),
    )
    assert ended.code == 3, ended
    docker("network", "connect", "--alias=in", "inner", "worker")
    docker(
        *("run", "--name=framed", "--log-driver=local", "--net=none", "busybox"),
        *("sh", "-c", "echo framed; printf unended >&2"),
    )
    docker(
        *("create", "--name=web", "-p", "127.0.0.1:8083:80/tcp", "--restart=unless-stopped"),
        *("--mount", "type=tmpfs,dst=/run/here", "other", "httpd", "-f"),
    )
    docker(
        *("run", "-d", "--name=lasting", "--restart=always", "--net=none", "--stop-timeout=0"),
        *("busybox", "sleep", "9d"),
    )
