"""Installing, uninstalling, verifying: plan, write down, carry out.

::

    manifest: pieces of before and after ─► steps ─► manifest: pieces of after

Killed anywhere, the manifest names at least everything that is there, and the next call finishes.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.installing.carrying import carry_out, change_group, has_members, look
from boxship.installing.layout import Layout
from boxship.installing.manifest import Manifest, read_manifest, write_manifest
from boxship.installing.pieces import Piece, mark
from boxship.installing.planning import (
    LeaveGroup,
    MakeGroup,
    Put,
    Remove,
    RemoveGroup,
    Step,
    announced,
    plan_installation,
    plan_removal,
)
from boxship.installing.units import GROUP
from boxship.installing.wanted import Wish, wanted

Told = Callable[[Step], None]


@dataclass(frozen=True)
class Planned:
    """What an installation would do. ``renewed``: the code isn't that of the one before."""

    wish: Wish
    before: Manifest
    pieces: tuple[Piece, ...]
    steps: tuple[Step, ...]

    @property
    def renewed(self) -> bool:
        return self.before.build not in ("", self.wish.home.build)

    def touches(self, name: str) -> bool:
        """Tell whether a file of that name is written or removed."""
        paths = [step.piece.path for step in self.steps if isinstance(step, Put)]
        paths += [step.path for step in self.steps if isinstance(step, Remove)]
        return any(os.path.basename(path) == name for path in paths)


def installed(layout: Layout) -> Manifest | None:
    """Return what is installed there, None if nothing is."""
    return read_manifest(layout.outside(layout.manifest))


def plan(wish: Wish) -> Planned:
    """Look what there is. ConflictError: files that aren't ours are in the way;
    InvalidArgumentError: that is no machine's root, and nothing could be installed there.
    """
    if not os.path.isfile(wish.layout.outside("/etc/group")):
        raise InvalidArgumentError(f"{wish.layout.root} is no machine's root: it has no /etc/group")
    before = installed(wish.layout) or Manifest()
    pieces = tuple(wanted(wish))
    directories = (wish.layout.configuration,)
    paths = {*(piece.path for piece in pieces), *before.pieces}
    found = look(wish.layout, paths, directories, GROUP)
    steps = plan_installation(pieces, directories, GROUP, found, before)
    return Planned(wish, before, pieces, tuple(steps))


def install(planned: Planned, told: Told) -> None:
    """Do it. UnavailableError names the step that failed; those before it stay done."""
    path = planned.wish.layout.outside(planned.wish.layout.manifest)
    made = any(isinstance(step, MakeGroup) for step in planned.steps)
    during = replace(
        planned.before,
        docker_alias=planned.wish.docker_alias,
        group_made=planned.before.group_made or made,
        pieces=announced(planned.pieces, planned.before),
    )
    after = replace(
        during,
        build=planned.wish.home.build,
        pieces={piece.path: (mark(piece),) for piece in planned.pieces},
    )
    if after == planned.before and not planned.steps:
        return
    with _legible():
        write_manifest(path, during)
        for step in planned.steps:
            told(step)
            carry_out(planned.wish.layout, step)
        write_manifest(path, after)


@contextlib.contextmanager
def _legible() -> Iterator[None]:
    """Make files and directories that everybody may read, however careful root's shell is.

    What is made may be the machine's first ``share/man``: others' pages will be there, too.
    """
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def plan_end(layout: Layout) -> list[Step]:
    """Return what uninstalling removes. NotFoundError: nothing is installed there."""
    before = installed(layout)
    if before is None or not before.pieces:
        raise NotFoundError(
            f"no installation of Boxship below {layout.prefix} (nothing in {layout.manifest}): "
            "name the --prefix that it was installed with"
        )
    found = look(layout, before.pieces, (), GROUP)
    steps = plan_removal(before.pieces, found)
    if before.group_made and found.group:
        steps.append(LeaveGroup(GROUP) if has_members(layout, GROUP) else RemoveGroup(GROUP))
    return steps


def uninstall(layout: Layout, steps: Iterable[Step], told: Told) -> None:
    """Remove what an installation has put there; data and configuration stay.

    So does a group that it has made and that has members by now.
    """
    for step in steps:
        told(step)
        carry_out(layout, step)
    manifest = layout.outside(layout.manifest)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(manifest)
    for path in (os.path.dirname(manifest), layout.outside(layout.configuration)):
        with contextlib.suppress(OSError):  # a directory with something in it stays
            os.rmdir(path)


def remove_group(layout: Layout) -> None:
    """Remove the group that an installation has added."""
    change_group(layout, "groupdel", GROUP)
