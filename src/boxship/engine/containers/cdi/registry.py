"""All devices there are: those of the files in some directories, of which later ones win.

::

    /etc/cdi/*.json, *.yaml        what the machine's owner says
    /var/run/cdi/*.json, *.yaml    what vendors' programs found out; wins

Looked at anew whenever somebody asks, for files come and go with the hardware. Within a directory
nobody wins: a device that two files have can't be given.
"""

import os
from dataclasses import dataclass, field

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.cdi import documents
from boxship.engine.containers.cdi.documents import Device, Document

_ENDINGS = (".json", ".yaml")


@dataclass(frozen=True)
class Found:
    """A device, and the document it is of."""

    path: str
    document: Document
    device: Device


@dataclass(frozen=True)
class Registry:
    """``devices`` by full name; ``problems`` are those of files, by their paths."""

    devices: dict[str, Found]
    problems: dict[str, str] = field(default_factory=dict)

    def resolve(self, names: tuple[str, ...]) -> tuple[Found, ...]:
        """Return the devices of these names. InvalidArgumentError names those there are not."""
        missing = [name for name in names if name not in self.devices]
        if missing:
            raise InvalidArgumentError(
                f"CDI device injection failed: unresolvable CDI devices {', '.join(missing)}"
            )
        return tuple(self.devices[name] for name in names)

    def of_kind(self, kind: str) -> tuple[str, ...]:
        """Return the full names of all devices of a kind, in order."""
        return tuple(name for name in sorted(self.devices) if name.startswith(f"{kind}="))


def look(directories: tuple[str, ...]) -> Registry:
    """Read what is in the directories; one that is not there has nothing."""
    devices: dict[str, Found] = {}
    problems: dict[str, str] = {}
    for directory in directories:
        found: dict[str, Found] = {}
        twice: set[str] = set()
        for path in _files(directory):
            for name, one in _of_file(path, problems).items():
                if name in found:
                    twice.add(name)
                    problems[path] = f'conflicting device "{name}", also in {found[name].path}'
                found[name] = one
        for name in twice:
            del found[name]
            devices.pop(name, None)
        devices |= found
    return Registry(devices, problems)


def _files(directory: str) -> list[str]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    return [f"{directory}/{name}" for name in names if name.endswith(_ENDINGS)]


def _of_file(path: str, problems: dict[str, str]) -> dict[str, Found]:
    try:
        document = documents.read(path)
    except (InvalidArgumentError, OSError) as error:
        problems[path] = str(error)
        return {}
    return {
        documents.qualified(document.kind, device.name): Found(path, document, device)
        for device in document.devices
    }
