"""What a person sees of a running engine: `top`, `info`, `/metrics`."""

import re
import shlex

from support.cli import Cli, Terminal
from support.engine import Engine
from support.machines import World

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
_FRAME = "\x1b[H"
_FOOT = r"q leave\x1b\[K\x1b\[J"
_BURN = "while :; do :; done"
_WRITE = "while :; do dd if=/dev/zero of=/f bs=1M count=20 conv=fsync 2>/dev/null; sleep 0.5; done"
_TALK = "while :; do wget -q -O /dev/null http://web/; sleep 0.2; done"
_SERVE = "mkdir /www; head -c 200000 /dev/zero > /www/index.html; exec httpd -f -h /www"
_PROBED = ("--health-http=:80/", "--health-interval=1s")


def main() -> None:
    """Show it; raise at the first surprise."""
    with World() as world, Engine(namespace=world.machine().path) as engine:
        engine.load("busybox")
        fill(engine.boxship)
        on_a_terminal(engine.boxship)
        shown(engine.boxship, "top", "--no-stream", "--sort", "memory")
        shown(engine.boxship, "stats", "--no-stream")
        shown(engine.boxship, "info")
        print("$ curl --unix-socket … http://localhost/metrics   # a part of it")
        text = engine.api.get("/metrics").body.decode()
        wanted = re.compile(
            r"(# HELP )?(boxship_start_step_seconds_(sum|count)|container_cpu_usage)"
        )
        print("\n".join(line for line in text.splitlines() if wanted.match(line)))


def fill(boxship: Cli) -> None:
    """Have containers do different things."""
    boxship("network", "create", "front")
    web = ("--name=web", "--network=front", "--memory=256m", *_PROBED)
    boxship("run", "-d", *web, "busybox", "sh", "-c", _SERVE)
    boxship("run", "-d", "--name=visitor", "--network=front", "busybox", "sh", "-c", _TALK)
    boxship("run", "-d", "--name=burner", "--cpus=0.5", "busybox", "sh", "-c", _BURN)
    boxship("run", "-d", "--name=writer", "--memory=128m", "busybox", "sh", "-c", _WRITE)
    boxship("create", "--name=idle", "busybox", "true")


def on_a_terminal(boxship: Cli) -> None:
    """Show two screens: the second after a key."""
    with boxship.on_terminal("top") as terminal:
        terminal.resize(14, 120)
        for _ in range(3):  # the third frame has rates
            terminal.expect(_FOOT)
        print("$ boxship top")
        print(screen(terminal), end="\n\n")
        terminal.type("m")
        terminal.expect(r"MEMORY ▾")
        terminal.expect(_FOOT)
        print("… and behind the key m")
        print(screen(terminal), end="\n\n")
        terminal.type("q")
        assert terminal.close() == 0


def screen(terminal: Terminal) -> str:
    """The frame that comes next, without what moves the cursor."""
    frame = terminal.expect(re.escape(_FRAME) + r"(?s:(.*?))" + _FOOT)
    return _CONTROL.sub("", frame[1]).rstrip() + "   q leave"


def shown(boxship: Cli, *arguments: str) -> None:
    print(f"$ boxship {shlex.join(arguments)}")
    print(boxship(*arguments), end="\n\n")


if __name__ == "__main__":
    main()
