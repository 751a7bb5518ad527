"""Command-line clients, as a person or a script would start them."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


class Cli:
    """A client program bound to one engine."""

    def __init__(self, program: str, environment: Mapping[str, str]) -> None:
        self.program = program
        self._environment = {**os.environ, **environment}

    def __call__(self, *arguments: str) -> str:
        """Run; it must succeed; its output without the last newline."""
        done = self.run(*arguments)
        assert done.code == 0, f"{self.program} {' '.join(arguments)}: {done}"
        return done.out.removesuffix("\n")

    def run(self, *arguments: str, stdin: str = "", timeout: float = 60) -> Done:
        """Run; however it ends."""
        done = subprocess.run(
            [self.program, *arguments],
            input=stdin,
            capture_output=True,
            env=self._environment,
            timeout=timeout,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Run beside the test, with pipes."""
        return subprocess.Popen(
            [self.program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
        )

    def on_terminal(self, *arguments: str) -> "Terminal":
        """Run on a pseudo-terminal of 80 x 24."""
        return Terminal([self.program, *arguments], self._environment)


class Terminal:
    """A program on a pseudo-terminal, and the person in front of it."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self._master, slave = os.openpty()
        self.resize(24, 80)  # before anybody can look: a client may look once and never again
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._master)
            os.login_tty(slave)
            os.execvpe(command[0], command, dict(environment))
        os.close(slave)
        self.seen = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._master)
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)

    def resize(self, rows: int, columns: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def expect(self, pattern: str, *, timeout: float = 20) -> re.Match[str]:
        """Read until `pattern` appears in what came since the last match."""
        deadline = time.monotonic() + timeout
        while not (match := re.search(pattern, self.seen)):
            if not self._read(deadline):
                raise AssertionError(f"no {pattern!r} in {self.seen!r}")
        self.seen = self.seen[match.end() :]
        return match

    def close(self, *, timeout: float = 20) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + timeout
        while self._read(deadline):
            pass
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def _read(self, deadline: float) -> bool:
        left = max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([self._master], [], [], left)
        if not ready:
            raise AssertionError(f"nothing more came; seen: {self.seen!r}")
        try:
            chunk = os.read(self._master, 4096)
        except OSError:  # EIO: the other side is closed
            return False
        self.seen += chunk.decode(errors="replace")
        return bool(chunk)
