"""One call of the program: what was asked, where containers are, and where errors are said."""

import os
import sys
import time

from boxship.runtime.cli.syntax import Arguments

_DEFAULT_ROOT = "/run/boxship-runtime"
_PREFIXES = {
    "create": "boxship-runtime create",
    "run": "boxship-runtime run",
    "restore": "boxship-runtime restore",
    "exec": "exec",
}
"""What engines cut off, or show, in front of the reason."""
_CHOICES = {"log-format": ("text", "json"), "rootless": ("true", "false", "auto")}


class Call:
    """``common`` are the flags before the verb, ``arguments`` what followed it."""

    __slots__ = ("arguments", "common", "verb")

    def __init__(self, verb: str, common: Arguments, arguments: Arguments) -> None:
        self.verb, self.common, self.arguments = verb, common, arguments

    @property
    def root(self) -> str:
        """Return the directory of the containers' state."""
        given = self.common.text("root")
        if given:
            return os.path.abspath(given)
        private = os.environ.get("XDG_RUNTIME_DIR", "")
        if os.geteuid() and private:
            return f"{private}/boxship-runtime"
        return _DEFAULT_ROOT

    @property
    def container_id(self) -> str:
        return self.arguments.operands[0]

    def warn(self, message: str) -> None:
        """Say what went wrong without being the end."""
        self._say("warning", message)

    def fail(self, message: str) -> None:
        """Say why the call failed, in one line."""
        if prefix := _PREFIXES.get(self.verb, ""):
            message = f"{prefix} failed: {message}"
        self._log("error", message)
        if not self.common.text("log") and self.common.text("log-format") == "json":
            message = self._line("error", message)
        elif not prefix:
            message = f"boxship-runtime: {message}"
        print(message, file=sys.stderr)

    def debug(self, message: str) -> None:
        """Say what is of use to who looks for a fault."""
        if self.common.switch("debug"):
            self._say("debug", message)

    def _say(self, level: str, message: str) -> None:
        # What create and exec say on stderr, engines take for the container's own words.
        if not self._log(level, message) and self.verb not in ("create", "exec"):
            print(f"boxship-runtime: {level}: {message}", file=sys.stderr)

    def _log(self, level: str, message: str) -> bool:
        """Write to the log; without one nothing is written, and False returned."""
        path = self.common.text("log")
        if not path:
            return False
        try:
            fd = _open_log(path)
        except OSError:  # it could be opened when we began; stderr has to do
            return False
        try:
            os.write(fd, f"{self._line(level, message)}\n".encode())
        finally:
            os.close(fd)
        return True

    def _line(self, level: str, message: str) -> str:
        import json

        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self.common.text("log-format") == "json":
            return json.dumps({"level": level, "msg": message, "time": now})
        return f'time="{now}" level={level} msg={json.dumps(message)}'

    def check(self) -> None:
        """Raise ValueError for a common flag's value that nobody understands, OSError for a
        log that cannot be written."""
        for name, known in _CHOICES.items():
            if self.common.text(name) not in known:
                raise ValueError(f"--{name}: one of {', '.join(known)} expected")
        if path := self.common.text("log"):
            os.close(_open_log(path))


def _open_log(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
