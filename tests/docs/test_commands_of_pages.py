"""Every command of the documentation, run; page by page, on an engine with networks of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import documents
from support.engine import Engine
from support.machines import Machine, World
from support.registries import RegistryServer

BIN = Path(sys.executable).parent
PAGES = [page for page in documents.pages() if documents.commands(page)]
ALLOWED = {documents.ENGINE, documents.MACHINE, "json", "toml", "yaml", "ini", "text", "python", ""}
HUB = ("busybox",)
"""Images that the registry has which stands for Docker Hub."""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with World() as world:
        yield world.machine()


@pytest.fixture(scope="module")
def registry(machine: Machine) -> Iterator[RegistryServer]:
    server = RegistryServer(address="127.0.0.1", port=5000)
    machine.inside(server.start)
    try:
        yield server
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(scope="module")
def engine(machine: Machine, registry: RegistryServer) -> Iterator[Engine]:
    with Engine(f"--registry-mirror={registry.url}", namespace=machine.path) as made:
        made.load(*HUB)
        for name in HUB:
            made.docker("tag", name, f"{registry.host}/library/{name}")
            made.docker("push", "-q", f"{registry.host}/library/{name}")
            made.docker("rmi", f"{registry.host}/library/{name}", name)
        yield made


@pytest.mark.privileged
@pytest.mark.boxshipd
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands(page: Path, engine: Engine, machine: Machine) -> None:
    with tempfile.TemporaryDirectory(prefix="boxship-page-") as home:
        shell = Shell(engine, machine, home)
        try:
            for command in documents.commands(page):
                shell.run(command)
        finally:
            shell.close()
            clear(engine)


def clear(engine: Engine) -> None:
    """Take away what the page has made."""
    for container in engine.api.get("/containers/json", all=1).json():
        engine.api.remove(container["Id"], force=True)
    for kind in ("volumes", "networks"):
        reply = engine.api.post(f"/{kind}/prune")
        assert reply.status == 200, reply.body


class Shell:
    """One bash for a page, so that `cd` and variables last."""

    def __init__(self, engine: Engine, machine: Machine, home: str) -> None:
        environment = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": home,
            "LANG": "C.UTF-8",
            "DOCKER_HOST": f"unix://{engine.socket}",
            "DOCKER_CLI_HINTS": "false",
        }
        self._process = subprocess.Popen(
            ["nsenter", f"--net={machine.path}", "bash", "--norc"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment, cwd=home, text=True,
        )  # fmt: skip

    def run(self, command: documents.Command) -> None:
        """Run it to its end; it prints and returns what the page says."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # A command reads nothing of what comes behind it.
        self._process.stdin.write(f'{{ {command.text}\n}} </dev/null; echo "\x01$?"\n')
        self._process.stdin.flush()
        printed = []
        for line in self._process.stdout:
            before, mark, code = line.partition("\x01")
            if mark:
                printed += [before] if before else []
                break
            printed.append(line.removesuffix("\n"))
        else:
            raise AssertionError(f"the shell has gone: {command.text}\n" + "\n".join(printed))
        told = "\n".join((f"$ {command.text}", *printed, f"exit code {code.strip()}"))
        assert int(code) == command.exit_code, told
        assert documents.fits(command.output, printed), told + f"\nexpected: {command.output}"

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.read()
        self._process.stdout.close()
        self._process.wait()


@pytest.mark.parametrize("page", documents.pages(), ids=lambda page: page.stem)
def test_no_command_is_left_out(page: Path) -> None:
    """A block of another name would not be run."""
    assert set(documents.kinds(page)) <= ALLOWED
    for kind in ("text", "json", ""):
        assert f"```{kind}\n$ " not in page.read_text()


def test_what_a_page_expects() -> None:
    block = "$ a <<end\n> b\n> end\nx … z\n…\nlast\n$ c   # exit 3\n"
    first, second = documents.parsed(block)
    assert (first.text, first.exit_code, second.exit_code) == ("a <<end\nb\nend", 0, 3)
    assert documents.fits(first.output, ["x y z", "1", "2", "last"])
    assert documents.fits(first.output, ["x  z", "last"])
    assert not documents.fits(first.output, ["x y z", "last", "more"])
    assert not documents.fits(first.output, ["y z", "last"])
