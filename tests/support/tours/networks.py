"""Networks as a person would try them: with Docker's client, on machines that are namespaces.

Run by ``scripts/try-networks``. Every command is printed with what it says; where something has to
be refused, or to be equal, that is checked, and the first surprise ends the tour.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from support.cli import Cli
from support.dockerd import Dockerd
from support.lab import Box, Lab
from support.places import Place
from support.waiting import eventually

SITE = "mkdir -p /www && hostname >/www/index.html && exec httpd -f -p 80 -h /www"
PATIENCE = 300.0


class Tour:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    @staticmethod
    def title(text: str) -> None:
        print(f"\n== {text}")

    def docker(self, *words: str, client: Cli | None = None, name: str = "docker") -> str:
        """A command of the client; it must succeed."""
        done = self._tell(name, *words, client=client)
        if done[0]:
            raise SystemExit(f"it ended with {done[0]}")
        return done[1].strip()

    def refused(self, *words: str) -> None:
        """A command that must fail."""
        if not self._tell("docker", *words)[0]:
            raise SystemExit("it went through, and must not")

    def _tell(self, name: str, *words: str, client: Cli | None = None) -> tuple[int, str]:
        print(f"$ {name} {shlex.join(words)}", flush=True)
        done = (client or self.lab.docker).run(*words, timeout=PATIENCE)
        say(done.out + done.err)
        return done.code, done.out

    def fetch(self, where: str, place: Place, url: str, wanted: str) -> None:
        """A page as seen from some place."""
        print(f"$ [{where}] GET {url}", flush=True)
        found = eventually(lambda: _fetched(place, url), f"an answer of {url}", timeout=5)
        say(found)
        self.check(f"that is {wanted}", wanted in found)

    def nothing(self, where: str, place: Place, url: str) -> None:
        print(f"$ [{where}] GET {url}", flush=True)
        self.check("no answer", not _fetched(place, url))

    @staticmethod
    def check(what: str, holds: bool) -> None:
        if not holds:
            raise SystemExit(f"NOT SO: {what}")
        print(f"# {what}")

    def site(self, name: str, *options: str, client: Cli | None = None) -> None:
        """A container that serves its host name by HTTP."""
        words = ("run", "-d", "--name", name, "--hostname", name, *options)
        self.docker(*words, "busybox", "sh", "-c", SITE, client=client)


def names_and_isolation(tour: Tour) -> None:
    tour.title("two networks, three containers: names, isolation, connect and disconnect")
    lab = tour.lab
    tour.docker("network", "create", "front")
    tour.docker("network", "create", "back")
    tour.site("web", "--network=front", "--network-alias=www", "-p", "6080:80", "-p", "6022:22")
    tour.site("app", "--network=front")
    tour.site("db", "--network=back", "--network-alias=base")
    tour.docker("exec", "app", "nslookup", "www")
    eventually(lambda: lab.docker.run("exec", "app", "wget", "-qO-", "http://www/").code == 0, "up")
    tour.docker("exec", "app", "wget", "-qO-", "http://www/")
    print("# networks are apart, by name and by address")
    tour.refused("exec", "app", "nslookup", "base")
    tour.refused("exec", "app", "wget", "-T", "1", "-qO-", f"http://{lab.box('db').address()}/")
    tour.docker("network", "connect", "back", "app")
    tour.docker("exec", "app", "wget", "-qO-", "http://base/")
    tour.docker("network", "disconnect", "back", "app")
    tour.refused("exec", "app", "nslookup", "base")
    tour.docker("network", "ls")


def published(tour: Tour) -> None:
    tour.title("published ports: from the machine, from a second one, from the world")
    lab = tour.lab
    machine = lab.machine.address
    tour.docker("port", "web")
    tour.fetch("machine", lab.machine, "http://127.0.0.1:6080/", "web")
    tour.fetch("machine", lab.machine, f"http://{machine}:6080/", "web")
    tour.fetch("second host", lab.peer, f"http://{machine}:6080/", "web")
    tour.fetch("world", lab.outside, f"http://{machine}:6080/", "web")
    tour.fetch("web itself", lab.box("web"), f"http://{machine}:6080/", "web")
    with lab.box("web").serving("ssh-2.0-of-the-tour", 22):
        print(f"$ [second host] connect {machine}:6022")
        say(lab.peer.ask(machine, 6022))
    tour.site("local", "-p", "127.0.0.1::80")
    port = lab.box("local").port("80/tcp")
    tour.docker("port", "local")
    tour.fetch("machine", lab.machine, f"http://127.0.0.1:{port}/", "local")
    tour.nothing("second host", lab.peer, f"http://{machine}:{port}/")
    tour.docker("run", "-d", "--name=clock", "-p", "6037:37/udp", "busybox", "sleep", "10000")
    with lab.box("clock").serving("time", 37, udp=True):
        print(f"$ [second host] datagram to {machine}:6037")
        answer = lab.peer.ask_udp(machine, 6037)
        say(answer)
        tour.check("the second host's address is seen", answer == f"time {lab.peer.address}")


def version_six(tour: Tour) -> None:
    tour.title("IPv6")
    lab = tour.lab
    subnet = ["--subnet=fd12:3456:789a::/64"] if lab.is_dockerd else []
    tour.docker("network", "create", "--ipv6", *subnet, "six")
    tour.site("web6", "--network=six", "-p", "6086:80")
    lab.settle_addresses()
    say(lab.box("web6").address6())
    for where, place in (("machine", lab.machine), ("second host", lab.peer)):
        tour.fetch(where, place, f"http://[{lab.machine.address6}]:6086/", "web6")
    tour.docker("run", "--rm", "--network=six", "busybox", "nslookup", "web6")


def debian(tour: Tour) -> None:
    tour.title("Debian on the default bridge: packages through NAT, then a published server")
    lab = tour.lab
    lab.engine.load("debian")
    tour.docker("run", "-d", "--name=deb", "-p", "8080:80", "debian:bookworm-slim", "sleep", "9999")
    tour.docker("exec", "deb", "cat", "/etc/resolv.conf")
    for line in mirror():
        tour.docker("exec", "deb", "sh", "-c", line)
    tour.docker("exec", "deb", "apt-get", "update", "-q")
    install = "DEBIAN_FRONTEND=noninteractive apt-get install -qq -y nginx-light"
    tour.docker("exec", "deb", "sh", "-c", install)
    tour.docker("exec", "-d", "deb", "nginx")
    for where, place in (("machine", lab.machine), ("second host", lab.peer)):
        tour.fetch(where, place, f"http://{lab.machine.address}:8080/", "Welcome to nginx!")
    tour.docker("rm", "-f", "deb")


def mirror() -> Iterator[str]:
    """Commands that have a container use the machine's own package mirror and its settings."""
    for path in sorted(Path("/etc/apt/sources.list.d").glob("debian*.sources")):
        # Our image has the archive's keys at the same place as any Debian.
        yield f"printf %s {shlex.quote(path.read_text())} >/etc/apt/sources.list.d/{path.name}"
        yield "rm -f /etc/apt/sources.list"
    settings = [
        line
        for path in sorted(Path("/etc/apt/apt.conf.d").glob("*"))
        for line in path.read_text(errors="replace").splitlines()
        if line.startswith("Acquire::") and not line.startswith("Acquire::Index")
    ]
    if settings:
        text = "\n".join(settings) + "\n"
        yield f"printf %s {shlex.quote(text)} >/etc/apt/apt.conf.d/90machine"


def beside(tour: Tour) -> None:
    tour.title("dockerd on the same machine")
    lab = tour.lab
    with Dockerd(namespace=lab.machine.path) as dockerd:
        dockerd.load("busybox")
        theirs = dockerd.docker
        tour.site("theirs", "-p", "7080:80", client=theirs)
        print("# with the policy that dockerd sets where it is the first to forward:")
        lab.machine.run("iptables", "-P", "FORWARD", "DROP")
        say(lab.machine.run("iptables", "-S", "FORWARD"))
        for where, place in (("machine", lab.machine), ("second host", lab.peer)):
            tour.fetch(where, place, f"http://{lab.machine.address}:6080/", "web")
            tour.fetch(where, place, f"http://{lab.machine.address}:7080/", "theirs")
        tour.docker("exec", "web", "ping", "-c1", "-W2", lab.peer.address)
        ping = ("exec", "theirs", "ping", "-c1", "-W2", lab.peer.address)
        tour.docker(*ping, client=theirs, name="docker -H dockerd")
        tour.nothing("web", lab.box("web"), f"http://{Box(lab, 'theirs', dockerd).address()}/")


def rules(tour: Tour) -> None:
    tour.title("the rules of three containers")
    lab = tour.lab
    tour.docker("rm", "-f", "local", "clock", "web6")
    tour.docker("network", "rm", "six")
    tour.docker("ps", "--format", "table {{.Names}}\t{{.Networks}}\t{{.Ports}}")
    if not lab.is_dockerd:
        tour.docker("network", "map", client=lab.boxship, name="boxship")
    for table in lab.machine.run("nft", "list", "tables").splitlines():
        if "boxship" in table:
            print(f"$ nft list {table}")
            print(lab.machine.run("nft", "list", *table.split()))


def say(text: str) -> None:
    lines = text.splitlines()
    many = len(lines) > 16
    for line in [*lines[:10], f"[… {len(lines) - 14} lines]", *lines[-4:]] if many else lines:
        print(f"  {line}")


def _fetched(place: Place, url: str) -> str:
    """The body of a page; nothing if nobody answers within a second."""
    asked = urlsplit(url)
    received = b""
    try:
        with place.connect(asked.hostname or "", asked.port or 80, timeout=1) as connection:
            connection.sendall(
                f"GET {asked.path} HTTP/1.0\r\nHost: {asked.netloc}\r\n\r\n".encode()
            )
            while data := connection.recv(1 << 16):
                received += data
    except OSError:
        return ""
    return received.partition(b"\r\n\r\n")[2].decode()


@contextmanager
def _made(kind: str) -> Iterator[Tour]:
    flags = ("--experimental", "--ip6tables") if kind == "dockerd" else ()
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(kind, *flags, online=True))
        try:
            yield Tour(lab)
        finally:
            lab.empty()


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/try-networks")
    parser.add_argument("--engine", choices=["boxshipd", "dockerd"], default="boxshipd")
    arguments = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with _made(arguments.engine) as tour:
        names_and_isolation(tour)
        published(tour)
        version_six(tour)
        debian(tour)
        if not tour.lab.is_dockerd:
            beside(tour)
        rules(tour)
    print("\nall as it should be")


if __name__ == "__main__":
    main()
