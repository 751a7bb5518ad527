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
_LOG_FORMATS = ("text", "json")


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
        print(message if prefix else f"boxship-runtime: {message}", file=sys.stderr)

    def debug(self, message: str) -> None:
        """Say what is of use to who looks for a fault."""
        if self.common.switch("debug"):
            self._say("debug", message)

    def _say(self, level: str, message: str) -> None:
        # What create and exec say on stderr, engines take for the container's own words.
        if not self._log(level, message) and self.verb not in ("create", "exec"):
            print(f"boxship-runtime: {level}: {message}", file=sys.stderr)

    def _log(self, level: str, message: str) -> bool:
        path = self.common.text("log")
        if not path:
            return False
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        import json

        if self.common.text("log-format") == "json":
            line = json.dumps({"level": level, "msg": message, "time": now})
        else:
            line = f'time="{now}" level={level} msg={json.dumps(message)}'
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError:
            return False
        try:
            os.write(fd, f"{line}\n".encode())
        finally:
            os.close(fd)
        return True

    def check(self) -> None:
        """Raise ValueError for a common flag's value that nobody understands."""
        if self.common.text("log-format") not in _LOG_FORMATS:
            raise ValueError(f"--log-format: one of {', '.join(_LOG_FORMATS)} expected")
