"""Who may talk to the daemon, and about what: certificates, ssh, contexts, sockets with limits."""

import json
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

from support.certificates import Authority, Issued
from support.cli import Cli
from support.clients.telling import SurpriseError
from support.engine import Engine
from support.sshd import SshHost

_BIN = Path(sys.executable).parent
_QUIET = "--net=none"


class Place:
    """A daemon on TCP, and a voice that says what was asked and what came of it."""

    def __init__(self, engine: Engine, home: Path, authority: Authority) -> None:
        self.engine, self.home, self.authority = engine, home, authority
        ports = re.findall(r"API listen on 127\.0\.0\.1:([0-9]+)", engine.log())
        self.certified, self.for_tokens = (f"tcp://127.0.0.1:{port}" for port in ports)

    def client(self, program: str, config: str = "config", **variables: str) -> Cli:
        """A client with a configuration of its own, and nothing of the environment's."""
        directory = self.home / config
        directory.mkdir(exist_ok=True)
        clean = {"DOCKER_CONFIG": str(directory), "DOCKER_HOST": "", "DOCKER_CLI_HINTS": "false"}
        return Cli(program, clean | variables)

    def shown(self, client: Cli, *arguments: str, code: int = 0, has: str = "") -> str:
        """Run, print both, and hold the end against what it should be."""
        done = client.run(*arguments)
        name = Path(client.program).name
        words = self.short(shlex.join(arguments))
        told = self.short((done.out + done.err).strip())
        print(f"$ {name} {words}", *(f"  {line}" for line in told.splitlines()), sep="\n")
        if done.code != code or has not in told:
            raise SurpriseError(f"exit code {done.code}, not {code}, or no {has!r} in it")
        return done.out.strip()

    def short(self, text: str) -> str:
        text = text.replace(str(self.home), "…").replace(str(self.engine.home), "…")
        return re.sub(r"bst_[\w-]+", "bst_…", text)


def main() -> None:
    """Show it all; raise at the first surprise."""
    with tempfile.TemporaryDirectory(prefix="boxship-access-") as place:
        home = Path(place)
        authority = Authority(home / "authority")
        server = authority.issue("server", "127.0.0.1", usage="server")
        with Engine(
            *("-H=tcp://127.0.0.1:0", "--tlsverify", "--token-host=tcp://127.0.0.1:0"),
            f"--tlscacert={authority.certificate}",
            *(f"--tlscert={server.certificate}", f"--tlskey={server.key}"),
        ) as engine:
            engine.load("busybox")
            shop = Place(engine, home, authority)
            for part in (certificates, contexts, over_ssh, sockets, tokens):
                part(shop)


def certificates(place: Place) -> None:
    """TCP: who is let in, and what the others are told."""
    print("\n== certificates")
    issue = place.authority.issue
    foreign = Authority(place.home / "foreign", "Another authority")
    docker = place.client(place.engine.docker.program)

    def ask(what: str, issued: Issued | None, has: str, ca: Authority = place.authority) -> None:
        print(f"\n# {what}")
        words = ["--tlsverify", f"--tlscacert={ca.certificate}", "-H", place.certified]
        if issued is not None:
            words[2:2] = [f"--tlscert={issued.certificate}", f"--tlskey={issued.key}"]
        else:
            words[2:2] = ["--tlscert=", "--tlskey="]
        code = 0 if what.startswith("a good") else 1
        place.shown(docker, *words, "images", "--format={{.Repository}}", code=code, has=has)

    ask("a good certificate", issue("alice"), "busybox")
    ask("none", None, "certificate required")
    ask("of another authority", foreign.issue("mallory"), "unknown certificate authority")
    ask("expired", issue("old", since=-9, days=-1), "expired certificate")
    ask("not valid yet", issue("young", since=2, days=9), "certificate")
    ask("good for servers alone", issue("srv", usage="server"), "unsupported certificate")
    ask("a daemon that the client does not know", issue("alice"), "unknown authority", foreign)
    print("\n# without TLS, beyond this machine")
    home = place.home / "refused"
    refused = ["-H=tcp://0.0.0.0:0", f"--data-root={home}/data", f"--exec-root={home}/exec"]
    daemon = place.client(str(_BIN / "boxshipd"))
    place.shown(daemon, *refused, f"--pidfile={home}.pid", code=1, has="refusing to listen")


def contexts(place: Place) -> None:
    """A name for a daemon, made by one client and used by the other."""
    print("\n== contexts")
    alice = place.authority.issue("alice")
    docker = place.client(place.engine.docker.program, "contexts")
    boxship = place.client(place.engine.boxship.program, "contexts")
    where = f"host={place.certified},ca={place.authority.certificate},"
    where += f"cert={alice.certificate},key={alice.key}"
    place.shown(boxship, "context", "create", "tower", "--docker", where)
    place.shown(docker, "--context", "tower", "version", "--format={{.Server.Version}}")
    place.shown(docker, "context", "use", "tower")
    place.shown(boxship, "context", "ls", has="tower *")
    place.shown(boxship, "info", "--format={{.ClientInfo.Context}}: {{.ServerVersion}}")
    archive = str(place.home / "tower.dockercontext")
    place.shown(docker, "context", "export", "tower", archive)
    place.shown(boxship, "context", "import", "copy", archive)
    place.shown(boxship, "--context", "copy", "ps", "-q")


def over_ssh(place: Place) -> None:
    """A login and no port: the real sshd, and `system dial-stdio` at the far end."""
    print("\n== ssh")
    (place.home / "names").mkdir()
    (place.home / "names/docker").symlink_to(_BIN / "boxship")  # what Docker's client asks for
    there = {
        "PATH": f"{place.home}/names:{_BIN}:{os.environ['PATH']}",
        "DOCKER_HOST": f"unix://{place.engine.socket}",
    }
    host = SshHost(place.home / "there", there)
    for program in (place.engine.docker.program, place.engine.boxship.program):
        client = place.client(program, PATH=host.path)
        place.shown(
            client, "-H", "ssh://there", "images", "--format={{.Repository}}", has="busybox"
        )


def sockets(place: Place) -> None:
    """A socket that can do just some things, and what becomes of all else."""
    print("\n== a socket for a build server")
    admin, docker = place.engine.boxship, place.client(place.engine.docker.program)
    place.shown(admin, "run", "-d", "--name=theirs", _QUIET, "busybox", "sleep", "1000")
    allow = ("--allow=containers:read,logs,create,start,attach,exec,remove", "--allow=images:use")
    create = ("system", "socket", "create", "ci", *allow, "--label=team=ci")
    path = place.shown(admin, *create)
    place.shown(admin, "system", "socket", "ls")
    ci = ("-H", f"unix://{path}")
    print("\n# what it can")
    place.shown(docker, *ci, "run", "--name=mine", _QUIET, "busybox", "echo", "hello", has="hello")
    place.shown(docker, *ci, "logs", "mine", has="hello")
    place.shown(docker, *ci, "ps", "-a", "--format={{.Names}} {{.Labels}}", has="mine team=ci")
    print("\n# what it cannot")
    context = place.home / "context"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM busybox\n")
    for words in (
        ("stop", "theirs"),
        ("logs", "theirs"),
        ("exec", "theirs", "true"),
        ("build", "-q", "-t", "nginx", str(context)),
        ("commit", "mine", "nginx"),
        ("pull", "busybox"),
        ("volume", "ls"),
        ("info",),
    ):
        place.shown(docker, *ci, *words, code=1)
    for way in (
        ("--privileged",),
        ("-v", "/:/host"),
        ("--pid=host",),
        ("--net=host",),
        ("--net=container:theirs",),
        ("--volumes-from=theirs",),
        ("--device=/dev/sda",),
        ("--cap-add=SYS_ADMIN",),
        ("--security-opt=seccomp=unconfined",),
        ("--mount=type=volume,dst=/x,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/",),
        ("--label=team=others",),
        ("-p", "80:80"),
    ):
        options = way if way[0].startswith("--net") else (_QUIET, *way)
        place.shown(docker, *ci, "create", *options, "busybox", code=1, has="the scope ci")
    print("\n# the log of it")
    place.shown(admin, "system", "socket", "audit", "--denied", "--tail=6", "ci", has="DENIED")
    place.shown(admin, "system", "socket", "rm", "ci")
    place.shown(docker, *ci, "ps", code=1)
    place.shown(admin, "rm", "-f", "mine", "theirs")


def tokens(place: Place) -> None:
    """The same without a socket: over TLS, for those who have no certificate."""
    print("\n== a token for a dashboard")
    admin = place.engine.boxship
    token = place.shown(
        admin, "system", "socket", "create", "board", "--token", "--allow=containers:read"
    )
    words = ("--tlsverify", f"--tlscacert={place.authority.certificate}", "-H", place.for_tokens)
    for config, what, headers, told in (
        ("with", "with it", {"Authorization": f"Bearer {token}"}, ""),
        ("wrong", "a wrong one", {"Authorization": "Bearer bst_guessed"}, "no such token"),
        ("without", "none", {}, "a token is needed here"),
    ):
        docker = place.client(place.engine.docker.program, config)
        document = json.dumps({"HttpHeaders": headers})
        (place.home / config / "config.json").write_text(document)
        print(f"\n# {what}: {place.short(document)}")
        place.shown(docker, *words, "ps", code=1 if told else 0, has=told)
        if not told:
            place.shown(docker, *words, "images", code=1, has="lacks images:read")
    place.shown(admin, "system", "socket", "audit", "board")
    place.shown(admin, "system", "socket", "rm", "board")


if __name__ == "__main__":
    main()
