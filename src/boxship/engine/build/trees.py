"""What vertices of a build have as their results: trees of files."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from boxship.engine.build.clientside import SshAgent
from boxship.oci.digest import Digest
from boxship.solver.operations import Limits


@dataclass(frozen=True, slots=True)
class LayersTree:
    """Layers of the store over each other, lowest first; none: nothing at all."""

    layers: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True)
class DirectoryTree:
    """A directory of the daemon's own that nobody changes meanwhile: a context, a download.

    Whoever filled it may have put links there that lead anywhere. All of it counts as root's.
    """

    path: str


NO_LIMITS = Limits()

Tree = LayersTree | DirectoryTree


@dataclass(frozen=True, slots=True)
class Extras:
    """What a step is given beside what decides about its result."""

    limits: Limits = NO_LIMITS
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    """By id; one that is not there is left out."""
    environment: tuple[str, ...] = ()
    """Variables that decide nothing: proxies."""
    agents: Mapping[str, SshAgent] = field(default_factory=dict)
    keep_failed: bool = False
    """Make a layer of what a step wrote that failed, too, for somebody to look into it."""
    latest_ns: int | None = None
    """Files that the step changes after that time (ns since the epoch) get it as theirs, so that
    the layer does not depend on when it was made."""
