"""The console script: global flags, the verb, errors and exit codes.

::

    boxship [global flags] verb [flags] [arguments]
            └ GLOBAL_FLAGS  └ catalog.find ─► command/<noun>/<verb>.py: COMMAND
                                              parse ─► Invocation ─► COMMAND.run ─► exit code
"""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from boxship.base.errors import BoxshipError
from boxship.base.suppress import suppress
from boxship.cli import catalog, kinds
from boxship.cli.catalog import PROGRAM
from boxship.cli.exitcodes import BROKEN_PIPE, FAILURE, USAGE, ExitError, MisuseError
from boxship.cli.flags import Flag, FlagError, HelpRequested, Parser, Values
from boxship.cli.verb import Command, Invocation

if TYPE_CHECKING:
    from boxship.cli.session import Session

GLOBAL_FLAGS = (
    Flag("config", "", kinds.STRING, "Directory of the client's config.json"),
    Flag("context", "c", kinds.STRING, "Context to use, whatever DOCKER_HOST and `use` say"),
    Flag("debug", "D", kinds.BOOL, "Show where an error comes from"),
    Flag(
        "host",
        "H",
        kinds.LIST,
        "Daemon to talk to: unix:///path, tcp://host:port or ssh://user@host",
    ),
    Flag("log-level", "l", kinds.STRING, "Least severe messages to show", default="info"),
    Flag("tls", "", kinds.BOOL, "Use TLS; --tlsverify implies it"),
    Flag("tlscacert", "", kinds.STRING, "Trust certificates signed by this CA only"),
    Flag("tlscert", "", kinds.STRING, "Client certificate for TLS"),
    Flag("tlskey", "", kinds.STRING, "Client key for TLS"),
    Flag("tlsverify", "", kinds.BOOL, "Use TLS and verify the daemon"),
    Flag("version", "v", kinds.BOOL, "Print the version and quit"),
)


_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the result is the exit code."""
    _open_standard_streams()
    try:
        code = _dispatch(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has gone; keep the interpreter from flushing into it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return 130
    except OSError as error:  # help, or the last of the output, on a full disk
        sys.stderr.write(f"{_system_error(error)}\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILURE
    return code


def _open_standard_streams() -> None:
    """Put /dev/null in the place of a closed stream, before a socket gets its number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _dispatch(arguments: Sequence[str]) -> int:
    try:
        values, rest = Parser(GLOBAL_FLAGS, interspersed=False).parse(arguments)
    except HelpRequested:
        return _program_help()
    except FlagError as error:
        return _complain(f"{error}\n\nUsage:  {PROGRAM} [OPTIONS] COMMAND [ARG...]", "", USAGE)
    if values.on("version"):
        from boxship import __version__

        sys.stdout.write(f"Boxship version {__version__}\n")
        return 0
    if not rest:
        return _program_help()
    return _verb(values, rest)


def _verb(values: Values, rest: list[str]) -> int:
    if rest[0] == "help":
        rest = [*rest[1:], "--help"]
    if rest[0] in ("__complete", "__completeNoDesc"):
        return _complete(values, rest[1:], explained=rest[0] == "__complete")
    noun, words = _noun_of(rest)
    if noun is not None and (len(rest) == words or rest[words].startswith("-")):
        return _noun_help(noun, rest[words:])
    words += 1
    path = " ".join(rest[:words])
    entry = catalog.find(path)
    if entry is None:
        if path.startswith("--"):
            return _program_help()
        near = f" {noun.name}" if noun else ""
        unknown = f"{PROGRAM}: unknown command: {PROGRAM} {path}{_meant(path)}"
        return _complain(unknown, near, FAILURE)
    command: Command = import_module(f"boxship.cli.command.{entry.module}").COMMAND
    return _run(values, path, entry, command, rest[words:])


def _meant(path: str) -> str:
    """The command of the same noun that is spelled nearly so, as a question, or nothing."""
    import difflib

    noun, _, word = path.rpartition(" ")
    spelled = [name for entry in catalog.ENTRIES for name in entry.paths]
    spelled += [each.name for each in catalog.NOUNS]
    known = [last for above, _, last in (name.rpartition(" ") for name in spelled) if above == noun]
    near = difflib.get_close_matches(word, known, 1, 0.7)
    return f"; is '{f'{PROGRAM} {noun}'.rstrip()} {near[0]}' meant?" if near else ""


def _complete(globals_: Values, words: list[str], *, explained: bool) -> int:
    """Answer a shell that completes a line; see ``completing/``."""
    from boxship.cli.completing.answering import complete

    def session(of_line: Values) -> "Session":
        speaks = of_line.changed("host") or of_line.changed("context")
        return _session(of_line if speaks else globals_)

    sys.stdout.write(complete(words, GLOBAL_FLAGS, session, explained=explained))
    return 0


def _noun_of(rest: list[str]) -> tuple[catalog.Noun | None, int]:
    """The longest noun that a line begins with, and its words."""
    for words in (2, 1):
        noun = catalog.find_noun(" ".join(rest[:words])) if len(rest) >= words else None
        if noun is not None:
            return noun, words
    return None, 0


def _run(
    globals_: Values, path: str, entry: catalog.Entry, command: Command, arguments: list[str]
) -> int:
    line = f"Usage:  {PROGRAM} {path} {command.usage}".rstrip()
    try:
        parser = Parser(command.flags, interspersed=command.interspersed)
        values, positional = parser.parse(arguments)
    except HelpRequested:
        from boxship.cli.usage import command_help

        sys.stdout.write(command_help(path, entry, command) + "\n")
        return 0
    except FlagError as error:
        return _complain(f"{error}\n\n{line}", f" {path}", USAGE)
    complaint = command.arity.complaint(len(positional))
    if complaint:
        message = f"{PROGRAM}: '{PROGRAM} {path}' {complaint}\n\n{line}"
        return _complain(message, f" {path}", FAILURE)
    try:
        session = _session(globals_)
        return command.run(session, Invocation(path, values, tuple(positional)))
    except BoxshipError as error:
        return _failed(error, path, command, debug=globals_.on("debug"))
    except (BrokenPipeError, BlockingIOError):
        raise
    except OSError as error:
        # A file of this machine, or standard output: the daemon's troubles come as BoxshipError.
        failure = ExitError(command.failure_code, _system_error(error))
        failure.__cause__ = error
        return _failed(failure, path, command, debug=globals_.on("debug"))


def _system_error(error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    if error.filename is None:
        return f"cannot write: {reason}" if error.errno in _WRITING else reason
    name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
    return f"{name}: {reason}"


def _failed(error: BoxshipError, path: str, command: Command, *, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exception(error)
    with suppress(OSError):
        sys.stdout.flush()
    if isinstance(error, ExitError):
        if str(error):
            sys.stderr.write(f"{error}\n")
        return error.code
    if command.failure_code == USAGE or isinstance(error, MisuseError):
        return _complain(f"{PROGRAM}: {error}", f" {path}", USAGE)
    sys.stderr.write(f"{error}\n")
    return command.failure_code


def _session(values: Values) -> "Session":
    from boxship.cli.session import Session
    from boxship.cli.target import Target
    from boxship.client.endpoint import TlsOptions

    hosts = values.many("host")
    if len(hosts) > 1:
        raise ExitError(FAILURE, "specify only one -H")
    tls = TlsOptions(
        tls=values.on("tls"),
        tlsverify=values.on("tlsverify") if values.changed("tlsverify") else None,
        ca=values.text("tlscacert") or None,
        cert=values.text("tlscert") or None,
        key=values.text("tlskey") or None,
    )
    return Session(
        target=Target(hosts[0] if hosts else None, values.text("context") or None, tls),
        debug=values.on("debug"),
        config_directory=values.text("config") or None,
    )


def _complain(message: str, behind: str, code: int) -> int:
    hint = f"Run '{PROGRAM}{behind} --help' for more information"
    sys.stdout.flush()
    sys.stderr.write(f"{message}\n\n{hint}\n")
    return code


def _program_help() -> int:
    from boxship.cli.usage import program_help

    shown = [flag for flag in GLOBAL_FLAGS if not flag.hidden]
    sys.stdout.write(program_help(shown) + "\n")
    return 0


def _noun_help(noun: catalog.Noun, rest: list[str]) -> int:
    if rest and rest[0] not in ("--help", "-h"):
        return _complain(f"unknown flag: {rest[0]}", f" {noun.name}", USAGE)
    from boxship.cli.usage import noun_help

    sys.stdout.write(noun_help(noun) + "\n")
    return 0
