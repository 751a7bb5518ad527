"""``--help``: drawn from the catalog and from a verb's flag table."""

import shutil
from collections.abc import Iterable, Sequence

from boxship.cli import catalog
from boxship.cli.catalog import PROGRAM
from boxship.cli.flags import Flag
from boxship.cli.verb import Command

_NARROWEST = 60


def usage_line(path: str, command: Command) -> str:
    return f"Usage:  {PROGRAM} {path} {command.usage}".rstrip()


def command_help(path: str, entry: catalog.Entry, command: Command) -> str:
    parts = [usage_line(path, command), "", entry.summary]
    if command.about:
        parts += ["", command.about]
    if len(entry.paths) > 1:
        spelled = ", ".join(f"{PROGRAM} {name}" for name in entry.paths)
        parts += ["", "Aliases:", f"  {spelled}"]
    shown = [flag for flag in command.flags if not flag.hidden]
    if shown:
        parts += ["", "Options:", *_flag_lines(shown)]
    return "\n".join(parts)


def noun_help(noun: catalog.Noun) -> str:
    rows = [(entry.name, entry.summary) for entry in catalog.verbs_of(noun.name)]
    below = catalog.nouns_below(noun.name)
    rows += [(each.name.rpartition(" ")[2], each.summary) for each in below]
    rows.sort()
    return "\n".join(
        [
            f"Usage:  {PROGRAM} {noun.name} COMMAND",
            "",
            noun.summary,
            "",
            "Commands:",
            *_columns(rows),
            "",
            f"Run '{PROGRAM} {noun.name} COMMAND --help' for more information on a command.",
        ]
    )


def program_help(flags: Sequence[Flag]) -> str:
    parts = [
        f"Usage:  {PROGRAM} [OPTIONS] COMMAND",
        "",
        "Containers, images and everything around them",
    ]
    for group in (catalog.Group.COMMON, catalog.Group.OTHER):
        entries = [entry for entry in catalog.ENTRIES if entry.top and entry.group is group]
        if group is not catalog.Group.COMMON:
            entries.sort(key=lambda entry: entry.top)
            parts += ["", "By object:", *_columns(catalog.nouns_below(""))]
        rows = [(entry.top, entry.summary) for entry in entries]
        parts += ["", f"{group.value}:", *_columns(rows)]
    parts += ["", "Global options:", *_flag_lines(flags)]
    parts += ["", f"Run '{PROGRAM} COMMAND --help' for more information on a command."]
    return "\n".join(parts)


def _columns(rows: Iterable[tuple[str, str]]) -> list[str]:
    listed = tuple(rows)
    width = max((11, *(len(name) for name, _ in listed)))
    return [f"  {name:<{width}} {summary}" for name, summary in listed]


def _flag_lines(flags: Sequence[Flag]) -> list[str]:
    labels = [_label(flag) for flag in flags]
    left = max(len(label) for label in labels) + 3
    width = max(shutil.get_terminal_size().columns, _NARROWEST)
    lines: list[str] = []
    for flag, label in zip(flags, labels, strict=True):
        first, *others = _wrap(described(flag), max(width - left, 24))
        lines.append(f"{label:<{left}}{first}".rstrip())
        lines += [f"{'':<{left}}{line}".rstrip() for line in others]
    return lines


def _label(flag: Flag) -> str:
    short = f"-{flag.short}, " if flag.short else "    "
    return f"  {short}--{flag.name} {flag.kind.label}".rstrip()


def described(flag: Flag) -> str:
    """What `--help` says about a flag, with its default."""
    if flag.default in (None, "", (), False) or flag.default == flag.kind.zero:
        return flag.help
    shown = f'"{flag.default}"' if isinstance(flag.default, str) else flag.default
    if shown is True:
        shown = "true"
    return f"{flag.help} (default {shown})"


def _wrap(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            if line and len(line) + 1 + len(word) > width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines
