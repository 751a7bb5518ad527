"""What the mounts of one step are made of, and where on the host."""

from collections.abc import Sequence
from dataclasses import dataclass

from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.caches import Caches
from boxship.engine.build.trees import Extras, LayersTree, Tree
from boxship.engine.containers.context import Context
from boxship.oci.runtime import IdMapping
from boxship.solver.operations import Input


@dataclass(frozen=True, slots=True)
class Ground:
    """What the mounts of one step are made of."""

    context: Context
    caches: Caches
    step_id: str
    inputs: Sequence[Tree]
    extras: Extras

    @property
    def place(self) -> str:
        """The step's directory of sources."""
        return f"{self.context.paths.sources}/{self.step_id}"

    def tree(self, which: Input) -> Tree:
        """Return one of the step's inputs, or nothing at all."""
        return LayersTree() if which is None else self.inputs[which]

    def owner(self, uid: int, gid: int) -> tuple[int, int]:
        """Return whom a file belongs to on the host that is to be ``uid``'s inside."""
        maps = self.context.settings.user_maps
        if maps is None:
            return uid, gid
        return _outside(maps.uids, uid), _outside(maps.gids, gid)


def _outside(maps: Sequence[IdMapping], inside: int) -> int:
    for one in maps:
        if one.container_id <= inside < one.container_id + one.size:
            return one.host_id + inside - one.container_id
    raise InvalidArgumentError(f"{inside} is nobody in the user namespace of containers")
