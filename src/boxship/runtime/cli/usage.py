"""Help texts, made of the tables."""

from boxship.runtime.cli.catalog import GLOBAL_FLAGS, VERBS
from boxship.runtime.cli.syntax import SWITCH, Flag, Verb

PROGRAM = "boxship-runtime"


def overview() -> str:
    """Return the help of the program as a whole."""
    verbs = "".join(f"  {verb.name:<12}{verb.help}\n" for verb in VERBS)
    return (
        f"usage: {PROGRAM} [FLAG...] VERB [FLAG...] [ARGUMENT...]\n\n"
        f"Runs containers from OCI bundles, with runc's command line.\n\n{verbs}\n"
        f"{_flags(GLOBAL_FLAGS)}"
    )


def of_verb(verb: Verb) -> str:
    """Return the help of one verb."""
    head = f"usage: {PROGRAM} {verb.name}{' [FLAG...]' if verb.flags else ''}"
    return f"{head} {verb.operands}".rstrip() + f"\n\n{verb.help}\n\n{_flags(verb.flags)}"


def _flags(flags: tuple[Flag, ...]) -> str:
    lines = []
    for flag in flags:
        names = ", ".join(("-" if len(name) == 1 else "--") + name for name in flag.names)
        value = "" if flag.kind == SWITCH else f" {flag.kind.upper()}"
        lines.append(f"  {names + value:<32}{flag.help}".rstrip() + "\n")
    return "".join(lines)
