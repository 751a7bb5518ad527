"""How histories word an instruction: in the classic builder's words or in BuildKit's."""

import json
from collections.abc import Iterable, Sequence

from boxship.dockerfile.instructions import (
    Add,
    Arg,
    Cmd,
    CommandLine,
    Entrypoint,
    Env,
    ExecForm,
    Expose,
    Files,
    Healthcheck,
    Instruction,
    Label,
    Maintainer,
    Onbuild,
    Pair,
    Script,
    Shell,
    ShellForm,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from boxship.dockerfile.ports import exposed_ports
from boxship.oci.image import Healthcheck as Probe

DEFAULT_SHELL = ("/bin/sh", "-c")
BUILDKIT_COMMENT = "buildkit.dockerfile.v0"
_BESIDE = " # buildkit"
COPIED = "\0copied\0"


def command_of(line: CommandLine, shell: Sequence[str]) -> tuple[str, ...]:
    """Return what is executed."""
    match line:
        case ExecForm(arguments):
            return tuple(arguments)
        case ShellForm(text) | Script(text=text):
            return (*shell, text)


def beside(shell: Sequence[str], text: str, *, classic: bool) -> str:
    """Word an instruction that runs nothing."""
    return f"{' '.join(shell)} #(nop) {text}" if classic else text.lstrip()


def ran(command: Sequence[str], arguments: Sequence[tuple[str, str]], *, classic: bool) -> str:
    """Word a ``RUN``; ``arguments`` are the build's arguments that it saw, by name."""
    said = " ".join(f"{name}={value}" for name, value in sorted(arguments))
    seen = f"|{len(arguments)} {said} " if arguments else ""
    line = f"{seen}{' '.join(command)}"
    return line if classic else f"RUN {line}{_BESIDE}"


def copied(instruction: Files, *, classic: bool, shell: Sequence[str]) -> str:
    """Word a ``COPY`` or ``ADD``. In the classic form ``COPIED`` stands for what was copied, which
    is not known before: ``file:…``, ``dir:…`` or ``multi:…``."""
    keyword = "ADD" if isinstance(instruction, Add) else "COPY"
    owner = f"--chown={instruction.chown} " if instruction.chown else ""
    if classic:
        return f"{' '.join(shell)} #(nop) {keyword} {owner}{COPIED} in {instruction.destination} "
    mode = f"--chmod={instruction.chmod} " if instruction.chmod else ""
    documents = [f"<<{document.name}" for document in instruction.contents]
    words = [*instruction.sources, *documents, instruction.destination]
    return f"{keyword} {owner}{mode}{' '.join(words)}{_BESIDE}"


def wording(
    instruction: Instruction, *, shell: Sequence[str], classic: bool, probe: Probe | None = None
) -> str:
    """Word what changes the config alone. It is empty for what is in no history."""
    text = _told(instruction, shell, probe, classic)
    if not classic:
        return text
    gap = "" if isinstance(instruction, Workdir) else " "
    return beside(shell, f"{gap}{text}", classic=True)


def _told(
    instruction: Instruction, shell: Sequence[str], probe: Probe | None, classic: bool
) -> str:
    match instruction:
        case Env(pairs=pairs):
            return f"ENV {_pairs(pairs)}"
        case Label(pairs=pairs):
            return f"LABEL {_pairs(pairs)}"
        case Arg(definitions=definitions):
            names = (d.name if d.default is None else f"{d.name}={d.default}" for d in definitions)
            return f"ARG {' '.join(names)}"
        case Cmd(command=command):
            return f"CMD {_go_strings(command_of(command, shell))}"
        case Entrypoint(command=command):
            return f"ENTRYPOINT {_go_strings(command_of(command, shell))}"
        case Expose(ports=ports):
            if classic:
                return f"EXPOSE {' '.join(sorted(ports))}"
            return f"EXPOSE map[{' '.join(f'{port}:{{}}' for port in exposed_ports(ports))}]"
        case Volume(paths=paths):
            return f"VOLUME [{' '.join(paths)}]"
        case Shell(arguments=arguments):
            return f"SHELL [{' '.join(arguments)}]"
        case Healthcheck():
            return f"HEALTHCHECK {_probe(probe)}"
    return _plain(instruction)


def _plain(instruction: Instruction) -> str:
    match instruction:
        case User(user=user):
            return f"USER {user}"
        case Workdir(path=path):
            return f"WORKDIR {path}"
        case StopSignal(signal=signal):
            return f"STOPSIGNAL {signal}"
        case Maintainer(name=name):
            return f"MAINTAINER {name}"
        case Onbuild(trigger=trigger):
            return f"ONBUILD {trigger}"
    return instruction.code


def _pairs(pairs: Iterable[Pair]) -> str:
    return " ".join(f"{pair.name}={pair.value}" for pair in pairs)


def _go_strings(words: Iterable[str]) -> str:
    """Write strings as Go's ``%q`` writes a slice of them."""
    return f"[{' '.join(quoted(word) for word in words)}]"


def quoted(word: str) -> str:
    """Write one string in Go's double quotes."""
    return json.dumps(word, ensure_ascii=False).replace("\x7f", "\\x7f")


def _probe(probe: Probe | None) -> str:
    """Write a probe as Go's ``%q`` writes a pointer to it, in the fields of Docker 26."""
    if probe is None:
        return '&{[] "0s" "0s" "0s" \'\\x00\'}'
    times = map(
        _duration,
        (probe.interval, probe.timeout, probe.start_period, probe.start_interval),
    )
    retries = _go_rune(probe.retries)
    return f"&{{{_go_strings(probe.test or ())} {' '.join(quoted(t) for t in times)} {retries}}}"


def _go_rune(number: int) -> str:
    """Write an integer as ``%q`` does: as a character."""
    escapes = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 39: "'", 92: "\\"}
    if number in escapes:
        return f"'\\{escapes[number]}'"
    if number < 0x20 or number == 0x7F:
        return f"'\\x{number:02x}'"
    character = chr(number) if number < 0x110000 else "\ufffd"
    return f"'{character}'" if character.isprintable() else f"'\\u{number:04x}'"


def _duration(nanoseconds: int) -> str:
    """Write a time as Go does: ``1m30s``, ``500ms``, ``0s``."""
    if nanoseconds < 1_000_000_000:
        for unit, size in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
            if nanoseconds >= size:
                return f"{nanoseconds / size:.6f}".rstrip("0").rstrip(".") + unit
        return "0s"
    whole, rest = divmod(nanoseconds, 1_000_000_000)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    text = f"{seconds}{fraction}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text
