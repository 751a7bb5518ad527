"""What the word under the cursor may become. Pure: names of objects are left to be asked for."""

import re
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import NamedTuple

from boxship.cli import catalog
from boxship.cli.flags import Flag
from boxship.cli.verb import Command


class Source(Enum):
    """Names that the daemon, or the client's own files, are asked for."""

    CONTAINERS = auto()
    RUNNING = auto()
    STOPPED = auto()
    PAUSED = auto()
    IMAGES = auto()
    NETWORKS = auto()
    VOLUMES = auto()
    CONTEXTS = auto()
    PLUGINS = auto()
    RUNTIMES = auto()
    SOCKETS = auto()


class Word(NamedTuple):
    value: str
    about: str = ""


class Wish(NamedTuple):
    """``prefix`` stands before every value, as ``--network=``; ``typed`` is the begin of one."""

    typed: str = ""
    words: tuple[Word, ...] = ()
    sources: tuple[Source, ...] = ()
    files: bool = False
    prefix: str = ""
    open_ended: bool = False
    """More may be typed behind a value: no space after it."""


Load = Callable[[catalog.Entry], Command]

_SHELLS = ("bash", "zsh", "fish")
_SIGNALS = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGSTOP")
_PLACES: dict[str, tuple[Source, ...]] = {
    "CONTAINER": (Source.CONTAINERS,),
    "IMAGE": (Source.IMAGES,),
    "SOURCE_IMAGE": (Source.IMAGES,),
    "TARGET_IMAGE": (Source.IMAGES,),
    "REPOSITORY": (Source.IMAGES,),
    "NETWORK": (Source.NETWORKS,),
    "VOLUME": (Source.VOLUMES,),
    "CONTEXT": (Source.CONTEXTS,),
    "PLUGIN": (Source.PLUGINS,),
    "NAME|ID": (Source.CONTAINERS, Source.IMAGES, Source.NETWORKS, Source.VOLUMES),
}
"""Words of usage lines, and what stands for them."""

_OF_VERBS: dict[str, tuple[Source, ...]] = {
    "container attach": (Source.RUNNING,),
    "container exec": (Source.RUNNING,),
    "container kill": (Source.RUNNING,),
    "container pause": (Source.RUNNING,),
    "container start": (Source.STOPPED,),
    "container stats": (Source.RUNNING,),
    "container stop": (Source.RUNNING,),
    "container top": (Source.RUNNING,),
    "container unpause": (Source.PAUSED,),
    "image push": (Source.IMAGES,),
    "network create": (),
    "volume create": (),
    "volume import": (),
    "context create": (),
    "plugin create": (),
    "plugin install": (),
    "system socket audit": (Source.SOCKETS,),
    "system socket inspect": (Source.SOCKETS,),
    "system socket rm": (Source.SOCKETS,),
    "why": (Source.CONTAINERS, Source.IMAGES, Source.NETWORKS, Source.VOLUMES),
}
"""Verbs that want other names than their usage says."""

_OF_FLAGS: dict[str, tuple[Source, ...]] = {
    "net": (Source.NETWORKS,),
    "network": (Source.NETWORKS,),
    "network-add": (Source.NETWORKS,),
    "network-rm": (Source.NETWORKS,),
    "config-from": (Source.NETWORKS,),
    "volumes-from": (Source.CONTAINERS,),
    "link": (Source.CONTAINERS,),
    "context": (Source.CONTEXTS,),
    "runtime": (Source.RUNTIMES,),
}
_WORDS_OF_FLAGS: dict[str, tuple[str, ...]] = {
    "restart": ("no", "always", "unless-stopped", "on-failure"),
    "pull": ("always", "missing", "never"),
    "signal": _SIGNALS,
    "stop-signal": _SIGNALS,
    "log-level": ("debug", "info", "warn", "error", "fatal"),
    "progress": ("auto", "plain", "tty", "rawjson", "quiet"),
    "cgroupns": ("host", "private"),
    "attach": ("stdin", "stdout", "stderr"),
    "log-driver": (
        "awslogs", "fluentd", "gcplogs", "gelf", "journald", "json-file", "local", "none", "splunk",
        "syslog",
    ),
    "type": ("container", "image", "network", "volume"),
}  # fmt: skip
_FILES_OF_FLAGS = frozenset(
    {
        "build-context", "cidfile", "config", "env-file", "file", "iidfile", "input", "keyring",
        "label-file", "metadata-file", "output", "tlscacert", "tlscert", "tlskey", "volume",
    }
)  # fmt: skip


def find_wish(words: Sequence[str], flags: Sequence[Flag], load: Load) -> Wish:
    """Return what the last of ``words`` may become; ``flags`` are the program's own."""
    line = _Line(words[:-1], words[-1] if words else "")
    pending = line.skip_flags(flags)
    if pending is not None:
        return _of_value(pending, line.typed)
    if not line.rest and line.typed.startswith("-"):
        return _of_flag(line.typed, flags)
    noun = ""
    while line.rest and catalog.find_noun(f"{noun} {line.rest[0]}".strip()):
        noun = f"{noun} {line.rest.pop(0)}".strip()
    if not line.rest:
        return _of_names(noun, line.typed)
    entry = catalog.find(f"{noun} {line.rest.pop(0)}".strip())
    return Wish() if entry is None else _of_verb(entry, load(entry), line)


class _Line:
    """The words before the cursor that nobody has looked at yet, and the one under it."""

    def __init__(self, before: Sequence[str], typed: str) -> None:
        self.rest = list(before)
        self.typed = typed

    def skip_flags(self, flags: Sequence[Flag]) -> Flag | None:
        """Take flags and their values off; return the flag whose value is under the cursor."""
        while self.rest and self.rest[0].startswith("-") and self.rest[0] not in ("-", "--"):
            waiting = _waiting(self.rest.pop(0), flags)
            if waiting is not None:
                if not self.rest:
                    return waiting
                self.rest.pop(0)
        return None


def _waiting(word: str, flags: Sequence[Flag]) -> Flag | None:
    """Return the flag of ``word`` if its value is the next word."""
    if word.startswith("--"):
        flag = next((each for each in flags if each.name == word[2:]), None)
    else:
        flag = next((each for each in flags if each.short == word[-1:]), None)
        if any(each.short == word[1:2] and each.kind.bare is None for each in flags) and word[2:]:
            return None  # -pVALUE
    return flag if flag is not None and flag.kind.bare is None else None


def _of_names(noun: str, typed: str) -> Wish:
    """What may stand behind a noun, or first of all."""
    words = [Word(each.name.rpartition(" ")[2], each.summary) for each in catalog.nouns_below(noun)]
    if noun:
        entries = catalog.verbs_of(noun)
        words += [Word(entry.name, entry.summary) for entry in entries if not _is_hidden(entry)]
    else:
        tops = (entry for entry in catalog.ENTRIES if entry.top and not _is_hidden(entry))
        words += [Word(entry.top, entry.summary) for entry in tops]
    return Wish(typed, tuple(sorted(words)))


def _is_hidden(entry: catalog.Entry) -> bool:
    return entry.group is catalog.Group.HIDDEN


def _of_verb(entry: catalog.Entry, command: Command, line: _Line) -> Wish:
    count = 0
    ended = False
    while line.rest:
        pending = None if ended else line.skip_flags(command.flags)
        if pending is not None:
            return _of_value(pending, line.typed)
        if line.rest:
            word = line.rest.pop(0)
            if word == "--" and not ended:
                ended = True
                continue
            count += 1
            ended = ended or not command.interspersed
    if line.typed.startswith("-") and not ended:
        return _of_flag(line.typed, command.flags)
    return _of_argument(entry, command, count, line.typed)


def _of_argument(entry: catalog.Entry, command: Command, index: int, typed: str) -> Wish:
    if entry.paths[0] == "completion":
        return Wish(typed, tuple(Word(shell) for shell in _SHELLS) if not index else ())
    if command.arity.high is not None and index >= command.arity.high:
        return Wish(typed)
    place = _place(command.usage, index)
    special = _OF_VERBS.get(entry.paths[0])
    if special is not None and (index == 0 or place == _place(command.usage, 0)):
        return Wish(typed, sources=special)
    for name, sources in _PLACES.items():
        if re.match(rf"{re.escape(name)}(?![A-Z_|])", place):
            # ``cp``: a path of the container, or one of this machine
            paths = ":" in place and "PATH" in place
            return Wish(typed, sources=sources, files=paths, open_ended=paths)
    return Wish(typed, files="PATH" in place or "FILE" in place or "SOURCE" in place)


def _place(usage: str, index: int) -> str:
    """Return the word of a usage line for the argument of that number; the last one repeats."""
    words = [word.strip("[]") for word in usage.split() if word != "[OPTIONS]"]
    if not words:
        return ""
    if index < len(words):
        return words[index].removesuffix("...")
    return words[-1].removesuffix("...") if words[-1].endswith("...") else ""


def _of_flag(typed: str, flags: Sequence[Flag]) -> Wish:
    name, equals, value = typed.partition("=")
    if equals:
        flag = next((each for each in flags if f"--{each.name}" == name), None)
        return Wish() if flag is None else _of_value(flag, value)._replace(prefix=f"{name}=")
    shown = [Word(f"--{flag.name}", flag.help) for flag in flags if not flag.hidden]
    if not typed.startswith("--"):
        shown += [Word(f"-{flag.short}", flag.help) for flag in flags if flag.short]
    return Wish(typed, tuple(sorted([*shown, Word("--help", "Explain the command")])))


def _of_value(flag: Flag, typed: str) -> Wish:
    words = tuple(Word(word) for word in _WORDS_OF_FLAGS.get(flag.name, ()))
    if flag.kind.bare is not None:
        words = (Word("true"), Word("false"))
    sources = _OF_FLAGS.get(flag.name, ())
    if flag.name == "volume" and not typed.startswith(("/", ".", "~")):
        sources = (Source.VOLUMES,)
    files = flag.name in _FILES_OF_FLAGS
    return Wish(typed, words, sources, files, open_ended=flag.name in ("volume", "link"))
