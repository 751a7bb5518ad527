"""testcontainers, as tests of a program use it: a server that is there for one test.

It connects to published ports, so it runs on the engine's machine: as a program of its own, which
finds the engine by ``DOCKER_HOST``. Without Ryuk, which is an image of Docker's hub.
"""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

from support.clients.telling import Scene, SurpriseError
from support.places import Place

_SERVER = "mkdir /www; hostname >/www/index.html; echo serving; exec httpd -f -p 80 -h /www"


def drive(scene: Scene, machine: Place) -> None:
    """Run the script on the engine's machine."""
    environment = {
        "DOCKER_HOST": f"unix://{scene.socket}",
        "TESTCONTAINERS_RYUK_DISABLED": "true",
        "TC_HOST": "127.0.0.1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    done = subprocess.run(
        ["nsenter", f"--net={machine.path}", sys.executable, "-m", __name__, scene.socket],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    scene.say(done.stdout.rstrip())
    if done.returncode:
        raise SurpriseError(done.stderr)


def _script(scene: Scene) -> None:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.network import Network
    from testcontainers.core.wait_strategies import HttpWaitStrategy, LogMessageWaitStrategy

    with Network() as net:
        server = DockerContainer("busybox").with_command(["sh", "-c", _SERVER])
        server.with_exposed_ports(80).with_network(net).with_network_aliases("web")
        server.with_kwargs(hostname="shop").waiting_for(LogMessageWaitStrategy("serving"))
        with server:
            scene.same("get_logs(), after its line", server.get_logs(), (b"serving\n", b""))
            HttpWaitStrategy(80).wait_until_ready(server)
            url = f"http://{server.get_container_host_ip()}:{server.get_exposed_port(80)}/"
            with urllib.request.urlopen(url, timeout=5) as answer:
                scene.same(f"GET {url}", answer.read(), b"shop\n")
            client = DockerContainer("busybox").with_command("wget -qO- http://web/")
            with client.with_network(net):
                scene.same("another in its network: wait()", client.wait(), 0)
                scene.same("  get_logs()", client.get_logs()[0], b"shop\n")
            server.copy_into_container(b"more", "/tmp/given")
            said = server.exec("cat /tmp/given")
            scene.same("copy_into_container(), exec()", tuple(said), (0, b"more"))
            scene.same("status", server.status, "running")
    left = server.get_docker_client().client.containers.list(all=True)
    scene.same("containers, at the end", left, [])


if __name__ == "__main__":
    _script(Scene(socket=sys.argv[1], registry=""))
