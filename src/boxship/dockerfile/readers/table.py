"""All instructions: the name, its reader, and whether it can have heredocs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from boxship.dockerfile.instructions import Instruction
from boxship.dockerfile.readers import commands, files, settings
from boxship.dockerfile.readers.statement import Statement


@dataclass(frozen=True, slots=True)
class Entry:
    """How an instruction is read."""

    read: Callable[[Statement], Instruction]
    heredocs: bool = False


INSTRUCTIONS: Mapping[str, Entry] = {
    "ADD": Entry(files.read_add, heredocs=True),
    "ARG": Entry(settings.read_arg),
    "CMD": Entry(commands.read_cmd),
    "COPY": Entry(files.read_copy, heredocs=True),
    "ENTRYPOINT": Entry(commands.read_entrypoint),
    "ENV": Entry(settings.read_env),
    "EXPOSE": Entry(settings.read_expose),
    "FROM": Entry(settings.read_from),
    "HEALTHCHECK": Entry(commands.read_healthcheck),
    "LABEL": Entry(settings.read_label),
    "MAINTAINER": Entry(settings.read_maintainer),
    "ONBUILD": Entry(settings.read_onbuild),
    "RUN": Entry(commands.read_run, heredocs=True),
    "SHELL": Entry(commands.read_shell),
    "STOPSIGNAL": Entry(settings.read_stopsignal),
    "USER": Entry(settings.read_user),
    "VOLUME": Entry(settings.read_volume),
    "WORKDIR": Entry(settings.read_workdir),
}
