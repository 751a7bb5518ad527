"""``boxship-runtime``: containers from OCI bundles, with runc's command line.

Exit status: that of the container's process where there is one to wait for; else 0, or 1 after
one line of error on stderr. Verbs and flags stand in ``cli/catalog.py``.

A process that enters a container must be born of an image nobody can write to (``sealed.py``), so
verbs that make such processes start the interpreter again, from a sealed image and without its
``site`` module. Until then as little as possible is imported. A call that starts in the standing
home (``standing.py``) is sealed from the beginning.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from boxship.runtime.cli.syntax import Arguments, Verb

_MAY_NEED_SEAL = frozenset(("create", "run", "exec", "restore"))
_ENTRY = "/boxship-runtime.py"
_NO_SUCH_VERB = 3  # as with runc
_AGAIN = (
    "import gc, sys; gc.disable(); sys.path.insert(0, sys.argv.pop(1))\n"
    "from boxship.runtime.main import main; main(again=True)"
)


def main(*, again: bool = False, home: str = "", stale: "Callable[[], bool] | None" = None) -> None:
    """Run the command line and exit.

    ``again``: the sealed image has been started for it. ``home``: we have started in the standing
    home; ``stale`` tells whether it is to be made new.
    """
    words = sys.argv[1:]
    if not _MAY_NEED_SEAL.isdisjoint(words):
        # Before anything is imported that would be once more.
        _seal(again=again)
    from boxship.runtime.cli.catalog import GLOBAL_FLAGS, find_verb
    from boxship.runtime.cli.syntax import UsageError, parse

    try:
        common = parse(GLOBAL_FLAGS, words, interspersed=False)
        verb = find_verb(common.operands[0]) if common.operands else None
        if verb is None or common.switch("help") or common.switch("version"):
            sys.exit(_without_verb(common))
        flags = (*verb.flags, *(f for f in GLOBAL_FLAGS if f.names[0] == "help"))
        arguments = parse(flags, common.operands[1:], interspersed=verb.interspersed)
        if arguments.switch("help"):
            from boxship.runtime.cli.usage import of_verb

            print(of_verb(verb), end="")
            sys.exit(0)
        verb.check(arguments.operands)
    except UsageError as error:
        print(f"boxship-runtime: {error}; see --help", file=sys.stderr)
        sys.exit(1)
    status = _carry_out(verb, common, arguments)
    sys.stdout.flush()
    if stale and stale():
        _establish(home)
    # At once: taking the interpreter apart would cost a third of what the verb itself does.
    os._exit(status)


def _carry_out(verb: "Verb", common: "Arguments", arguments: "Arguments") -> int:
    from boxship.base.errors import BoxshipError
    from boxship.kernel import signals
    from boxship.runtime.cli.call import Call

    call = Call(verb.name, common, arguments)
    # Of whoever ignores their end, as our caller may, children are reaped before we can ask.
    signals.signal(signals.SIGCHLD, signals.SIG_DFL)
    if signals.getsignal(signals.SIGINT) is not signals.SIG_IGN:
        # ^C is an end like any other, without an account of where we were.
        signals.signal(signals.SIGINT, signals.SIG_DFL)
    try:
        call.check()
        name = f"boxship.runtime.cli.verbs.{verb.name}"
        __import__(name)
        return int(sys.modules[name].run(call))
    except BrokenPipeError:  # who read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except (BoxshipError, OSError, ValueError) as error:
        call.fail(_in_one_line(error))
        # Like runc, so that a command's own exit status is not taken for our failure.
        return 255 if verb.name == "exec" else 1


def _in_one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split("\n"))


def _seal(*, again: bool) -> None:
    from boxship.runtime.sealed import execute_sealed, is_sealed

    if again:
        if not is_sealed():
            sys.exit("boxship-runtime: this program's image stays writable: nothing is started")
        return
    program = sys.argv[0]
    if program.endswith(_ENTRY) and not is_sealed():
        _establish(program=program)
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    execute_sealed(["-I", "-S", "-c", _AGAIN, root, *sys.argv[1:]])


def _establish(home: str = "", program: str = "") -> None:
    """Have the next calls start once only."""
    from boxship.base.suppress import suppress
    from boxship.runtime import standing

    if home:
        with suppress(OSError):  # somebody is taking it away
            standing.establish(home, os.readlink(f"{home}/interpreter"), stale=True)
    else:
        interpreter = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        standing.establish(standing.home_of(os.path.realpath(program)), interpreter)


def _without_verb(common: "Arguments") -> int:
    if common.switch("version"):
        from boxship import __version__

        print(f"boxship-runtime version {__version__}\nspec: 1.2.0")
        return 0
    from boxship.runtime.cli.usage import asked_for, overview

    if not common.operands or common.switch("help"):
        print(overview(), end="")
        return 0
    if (text := asked_for(common.operands)) is not None:
        print(text, end="")
        return 0
    print(f"boxship-runtime: {common.operands[-1]}: no such verb; see --help", file=sys.stderr)
    return _NO_SUCH_VERB
