"""Help texts, made of the tables."""

from collections.abc import Sequence

from boxship.runtime.cli.catalog import GLOBAL_FLAGS, VERBS, find_verb
from boxship.runtime.cli.syntax import SWITCH, Flag, Verb

PROGRAM = "boxship-runtime"

_ID = """\
ID is a name of your own for the container, unique under --root: letters, digits and _ + - .
The bundle is a directory with config.json (see `spec`) and, as a rule, the root file system."""
_DETAILS = {
    "create": f"""{_ID}

The container is made whole, its hooks included, but its process waits. `start` lets it go on.""",
    "run": f"""{_ID}

Without --detach the exit status is the process's, or 128 and the signal's number. Signals are
forwarded to it, and the container is deleted after its end unless --keep is given.""",
    "kill": "SIGNAL is a number or a name, with or without SIG: 9, KILL, SIGKILL, RTMIN+1.",
    "exec": """\
The process is given by a command or by --process, a file with what `process` is in config.json;
flags change it. Without --detach the exit status is the process's, 255 if it could not be run.""",
    "ps": "PS-OPTIONs are for ps(1), -ef when there are none; a column PID has to be among them.",
    "events": """\
A line of JSON is printed at every interval until the container ends, and one for every process
that the kernel killed for want of memory. INTERVAL is a time such as 500ms, 5s or 1m.""",
    "update": """\
The file of --resources has what `linux.resources` is in config.json; what it leaves out stays as
it is, and the other flags are ignored:

    {"memory": {"limit": 67108864}, "cpu": {"quota": 50000, "period": 100000}}

Bytes may have a unit (64m, 1g); -1 stands for no limit.""",
    "spec": "A config.json that is there is left alone.",
    "list": "Where containers are looked for is said by the flag --root, in front of the verb.",
    "delete": "A container that only was created is killed; a running one only with --force.",
    "explain": "Nothing is made or run. The bundle is the current directory unless one is given.",
    "checkpoint": """\
Needs criu. The container ends unless --leave-running is given; `restore` brings it back.""",
    "restore": "Needs criu, and the bundle that the container had when it was saved.",
}


def overview() -> str:
    """Return the help of the program as a whole."""
    verbs = "".join(f"  {verb.name:<12}{verb.help}\n" for verb in VERBS)
    return (
        f"usage: {PROGRAM} [FLAG...] VERB [FLAG...] [ARGUMENT...]\n\n"
        f"Runs containers from OCI bundles, with runc's command line.\n\n"
        f"verbs:\n{verbs}  {'help':<12}print this, or what there is to know about a verb\n"
        f"\nflags:\n{_flags(GLOBAL_FLAGS)}"
    )


def of_verb(verb: Verb) -> str:
    """Return the help of one verb."""
    head = f"usage: {PROGRAM} {verb.name}{' [FLAG...]' if verb.flags else ''}"
    text = f"{head} {verb.operands}".rstrip() + f"\n\n{verb.help[:1].upper()}{verb.help[1:]}.\n"
    if verb.name in _DETAILS:
        text += f"\n{_DETAILS[verb.name]}\n"
    return text + (f"\nflags:\n{_flags(verb.flags)}" if verb.flags else "")


def asked_for(words: Sequence[str]) -> str | None:
    """Return what ``help [VERB]`` asks for; None when that is not what ``words`` say."""
    if words[0] not in ("help", "h"):
        return None
    if len(words) == 1:
        return overview()
    verb = find_verb(words[1])
    return of_verb(verb) if verb else None


def _flags(flags: tuple[Flag, ...]) -> str:
    lines = []
    for flag in flags:
        names = ", ".join(("-" if len(name) == 1 else "--") + name for name in flag.names)
        value = "" if flag.kind == SWITCH else f" {flag.kind.upper()}"
        default = f" (default: {flag.default})" if flag.default else ""
        lines.append(f"  {names + value:<32}{flag.help}{default}".rstrip() + "\n")
    return "".join(lines)
