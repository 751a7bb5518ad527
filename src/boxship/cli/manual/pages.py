"""All manual pages: boxship(1), one for each noun and verb, boxshipd(8)."""

from collections.abc import Iterator, Sequence
from importlib import import_module

from boxship.cli import catalog
from boxship.cli.catalog import PROGRAM
from boxship.cli.flags import Flag
from boxship.cli.manual.roff import bold, italic, item, page, prose, text
from boxship.cli.usage import described
from boxship.cli.verb import Command

REVISED = "2026-11-21"
"""The date on the pages: when what they say was last gone through."""

Release = tuple[str, str]
"""Date (YYYY-MM-DD) and version."""
DaemonFlag = tuple[str, str, str, str]
"""Short and long name, kind of value, help."""


def pages(
    flags: Sequence[Flag], daemon_flags: Sequence[DaemonFlag], release: Release
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the pages by file name, and the further names of some, each with its page's."""
    made = {"boxship.1": _program(flags, release), "boxshipd.8": _daemon(daemon_flags, release)}
    links: dict[str, str] = {}
    for noun in catalog.NOUNS:
        made[f"{_name(noun.name)}.1"] = _noun(noun, release)
    for entry in catalog.ENTRIES:
        if entry.group is catalog.Group.HIDDEN:
            continue
        canonical, *others = entry.paths
        made[f"{_name(canonical)}.1"] = _verb(entry, release)
        links |= {f"{_name(other)}.1": f"{_name(canonical)}.1" for other in others}
    return made, {name: target for name, target in links.items() if name not in made}


def _name(path: str) -> str:
    return f"{PROGRAM}-{path.replace(' ', '-')}"


def _program(flags: Sequence[Flag], release: Release) -> bytes:
    parts = [
        *_heading(PROGRAM, "containers, images and everything around them"),
        *_synopsis(PROGRAM, "[OPTIONS] COMMAND [ARG...]"),
        ".SH DESCRIPTION",
        *prose(
            "Runs containers, makes and moves images, and looks after networks and volumes, as "
            "Docker's command does.\nIt speaks to the daemon that -H, BOXSHIP_HOST, DOCKER_HOST or "
            "a context names.\nIf nothing is named and nobody answers, it starts boxshipd."
        ),
        *_options(flags),
        ".SH COMMANDS",
    ]
    for entry in sorted(_tops(), key=lambda entry: entry.top):
        parts += item(f"{bold(_name(entry.top))}(1)", f"{entry.summary}.")
    for noun in catalog.nouns_below(""):
        parts += item(f"{bold(_name(noun.name))}(1)", f"{noun.summary}.")
    return page(PROGRAM, 1, release, [*parts, *_see("boxshipd(8)")])


def _tops() -> Iterator[catalog.Entry]:
    return (e for e in catalog.ENTRIES if e.top and e.group is not catalog.Group.HIDDEN)


def _noun(noun: catalog.Noun, release: Release) -> bytes:
    parts = [
        *_heading(_name(noun.name), noun.summary),
        *_synopsis(f"{PROGRAM} {noun.name}", "COMMAND [ARG...]"),
        ".SH COMMANDS",
    ]
    for entry in catalog.verbs_of(noun.name):
        if entry.group is not catalog.Group.HIDDEN:
            parts += item(f"{bold(_name(entry.paths[0]))}(1)", f"{entry.summary}.")
    for below in catalog.nouns_below(noun.name):
        parts += item(f"{bold(_name(below.name))}(1)", f"{below.summary}.")
    return page(_name(noun.name), 1, release, [*parts, *_see("boxship(1)")])


def _verb(entry: catalog.Entry, release: Release) -> bytes:
    command: Command = import_module(f"boxship.cli.command.{entry.module}").COMMAND
    canonical, *others = entry.paths
    parts = [
        *_heading(_name(canonical), entry.summary),
        *_synopsis(f"{PROGRAM} {canonical}", command.usage),
        ".SH DESCRIPTION",
        *prose(f"{entry.summary}." + (f"\n\n{command.about}" if command.about else "")),
        *_options(command.flags),
    ]
    if others:
        parts += [".SH OTHER NAMES", text(", ".join(f"{PROGRAM} {name}" for name in others))]
    return page(_name(canonical), 1, release, [*parts, *_see("boxship(1)")])


def _daemon(flags: Sequence[DaemonFlag], release: Release) -> bytes:
    parts = [
        *_heading("boxshipd", "daemon with the Docker Engine API"),
        *_synopsis("boxshipd", "[OPTIONS]"),
        ".SH DESCRIPTION",
        *prose(
            "Keeps containers, images, networks and volumes, and answers for them on sockets.\n"
            "Options may stand in the configuration file as well, but not in both places.\n\n"
            "SIGHUP has it read the file again.\nSIGTERM ends it, and containers with it unless "
            "live-restore is set.\nSIGUSR2 ends it and leaves containers to the next one."
        ),
        ".SH OPTIONS",
    ]
    for short, name, value, explained in flags:
        parts += item(_flag(short, name, value), explained)
    parts += [".SH FILES", *item(italic("/etc/boxship/daemon.json"), "The configuration file.")]
    parts += item(italic("/var/lib/boxship"), "What lasts: records, images, volumes.")
    parts += item(italic("/run/boxship"), "The socket, and what containers need while they run.")
    return page("boxshipd", 8, release, [*parts, *_see("boxship(1)")])


def _heading(name: str, summary: str) -> list[str]:
    return [".SH NAME", rf"{text(name)} \- {text(summary)}"]


def _synopsis(program: str, usage: str) -> list[str]:
    return [".SH SYNOPSIS", f"{bold(program)} {text(usage)}".rstrip()]


def _options(flags: Sequence[Flag]) -> list[str]:
    parts: list[str] = []
    for flag in flags:
        if not flag.hidden:
            parts += item(_flag(flag.short, flag.name, flag.kind.label), described(flag))
    return [".SH OPTIONS", *parts] if parts else []


def _flag(short: str, name: str, value: str) -> str:
    spelled = f"{bold(f'-{short}')}, " if short else ""
    return f"{spelled}{bold(f'--{name}')} {italic(value) if value else ''}".rstrip()


def _see(*names: str) -> list[str]:
    refs = [f".BR {text(name[:-3])} {name[-3:]}" for name in names]
    return [".SH SEE ALSO", *refs]
