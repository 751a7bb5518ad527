"""From Docker to Boxship, as a person would do it, with real daemons of both.

Run by ``scripts/try-import``. Every command is printed with what it says; where both have to say
the same, that is compared, and the first surprise ends the tour.
"""

import shlex
import sys
from contextlib import ExitStack

from support import dockerroots
from support.cli import Cli
from support.engine import Engine
from support.machines import World

ALIKE = (
    ("image", "ls", "--format", "{{.Repository}}:{{.Tag}}"),
    ("network", "ls", "--no-trunc", "--filter", "type=custom", "--format", "{{.ID}} {{.Name}}"),
    ("volume", "ls", "--format", "{{.Name}} {{.Labels}}"),
    ("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.Image}}"),
    ("inspect", "worker", "--format", "{{.State.Status}} {{.State.ExitCode}} {{.Path}}"),
    ("logs", "worker"),
    ("diff", "worker"),
)


IDS = ("image", "ls", "--no-trunc", "--format", "{{.ID}}")
"""Of containerd's store they are others: digests of manifests."""


def title(text: str) -> None:
    print(f"\n== {text}", flush=True)


def shown(client: Cli, name: str, *words: str, fails: bool = False) -> str:
    """Run a command of a client, and print it with what it says."""
    print(f"$ {name} {shlex.join(words)}", flush=True)
    done = client.run(*words)
    text = done.out + done.err
    print("".join(f"  {line}\n" for line in text.splitlines()), end="", flush=True)
    if bool(done.code) is not fails:
        sys.exit(f"it ended with {done.code}")
    return text


def sorted_lines(text: str) -> list[str]:
    return sorted(text.splitlines())


def tour(kind: dockerroots.Kind) -> None:
    """Fill a dockerd, stop it, take over, compare, and go on."""
    with ExitStack() as stack:
        machine = stack.enter_context(World()).machine()
        theirs = stack.enter_context(kind.running(machine.path))
        ours = stack.enter_context(Engine(namespace=machine.path))
        shown(theirs.docker, "docker", "version", "--format", "{{.Server.Version}}")
        alike = ALIKE if kind.configuration else (IDS, *ALIKE)
        before = [shown(theirs.docker, "docker", *words) for words in alike]
        take_over = ("system", "import-docker", "--data-root", str(theirs.data))
        title("refused while it runs")
        shown(ours.boxship, "boxship", *take_over, fails=True)
        theirs.stop()
        title("it is stopped: a look, then the import, then the same once more")
        shown(ours.boxship, "boxship", *take_over, "--dry-run")
        shown(ours.boxship, "boxship", *take_over)
        shown(ours.boxship, "boxship", *take_over, "--quiet")
        title("Boxship says what Docker said")
        for words, text in zip(alike, before, strict=True):
            same = sorted_lines(shown(ours.docker, "docker", *words)) == sorted_lines(text)
            print(f"  ({'the same' if same else 'OTHERWISE'})")
            if not same:
                sys.exit("they differ")
        title("it goes on")
        shown(ours.docker, "docker", "start", "web", "lasting")
        shown(ours.docker, "docker", "exec", "lasting", "ps")
        fetch = ("busybox", "wget", "-q", "-O-", "http://127.0.0.1:8083/etc/hostname")
        print(f"$ [machine] {shlex.join(fetch)}\n  {machine.run(*fetch)}", end="", flush=True)
        shown(ours.docker, "docker", "run", "--rm", "-v", "data:/data", "busybox", "ls", "/data")


def main() -> None:
    for kind in dockerroots.KINDS:
        title(f"───── {kind.name} ─────")
        tour(kind)


if __name__ == "__main__":
    main()
