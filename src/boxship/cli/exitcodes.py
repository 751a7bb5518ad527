"""Exit codes, and the errors that carry one."""

from boxship.base.errors import BoxshipError

FAILURE = 1
USAGE = 125  # a flag is wrong; also whatever keeps ``run`` from starting a container
NOT_EXECUTABLE = 126
NOT_FOUND = 127
DETACHED = 1
BROKEN_PIPE = 141  # as the shell reports a program that SIGPIPE ended


class ExitError(BoxshipError):
    """Ends the program with ``code``; the message, if any, goes to stderr as it is."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message)
        self.code = code


class MisuseError(BoxshipError):
    """The command line contradicts itself; ends with 125 and a hint at --help."""


_NOT_FOUND_SIGNS = ("executable file not found", "no such file or directory", "system cannot find")
_NOT_EXECUTABLE_SIGNS = ("permission denied", "not a directory", "is a directory")


def start_failure_code(message: str) -> int:
    """What ``run`` ends with when the container's command cannot be started.

    The Engine API carries no code for this, only a sentence, and with ``--rm`` there is no
    container left to ask. This is the one place that reads such a sentence.
    """
    text = message.lower()
    if any(sign in text for sign in _NOT_FOUND_SIGNS):
        return NOT_FOUND
    if any(sign in text for sign in _NOT_EXECUTABLE_SIGNS):
        return NOT_EXECUTABLE
    return USAGE
