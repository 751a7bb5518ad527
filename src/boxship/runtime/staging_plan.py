"""What the stage of a user namespace does with the host's rights, taken out of a set-up. Pure.

In its user namespace the container is nobody on the host: it may not look into the directories of
bind sources, cannot make device nodes, and an overlay it mounts itself could not show other owners.
So the stage lays all of that out beforehand (``steps.MakeStaging``), and the set-up binds it from
there. What is said of a bind mount's attributes is done by the stage, too, because in the
container's mount namespace they are locked by then.
"""

from __future__ import annotations

from boxship.base.frozen import replace
from boxship.runtime import steps
from boxship.runtime.userns_maps import outside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from boxship.runtime.userns_maps import Map

    Steps = tuple[steps.Step, ...]

ROOT = "root"
"""The name of the container's root in the staging area."""


def divide(
    before: Sequence[steps.Step], setup: Sequence[steps.Step], uid_map: Map, gid_map: Map
) -> tuple[Steps, Steps, Steps]:
    """Divide a set-up: before the namespace, in the staging area, inside. The maps are its own."""
    copies = {(s.source, s.target): s for s in before if isinstance(s, steps.CopyTree)}
    trees: list[steps.Step] = []
    made: list[steps.Step] = []
    inside: list[steps.Step] = []
    for number, step in enumerate(setup):
        name = str(number)
        if isinstance(step, steps.MountedRoot):
            made += [
                steps.EnterStaging(step.mountpoint),
                replace(step, mountpoint=ROOT, staged=True),
            ]
            inside.append(steps.BindRoot(ROOT))
        elif isinstance(step, steps.BindRoot):
            trees.append(steps.StageTree(ROOT, step.source, recursive=True))
            made.append(steps.EnterStaging(step.source))
            inside.append(replace(step, source=ROOT))
        elif isinstance(step, steps.BindMount):
            trees.append(_tree(name, step, copies.get((step.source, step.target))))
            inside.append(_bind(name, step))
        elif isinstance(step, steps.MakeNode) and step.kind != "p":
            made.append(_node(name, step, uid_map, gid_map))
            inside.append(steps.BindMount(step.path, step.path, staged=name))
        else:
            inside.append(step)
    early = [step for step in before if not isinstance(step, steps.CopyTree)]
    return (*early, steps.MakeStaging()), (*trees, *made), tuple(inside)


def _tree(name: str, bind: steps.BindMount, copy: steps.CopyTree | None) -> steps.StageTree:
    return steps.StageTree(
        name,
        bind.source,
        recursive=bind.recursive,
        set_attributes=bind.set_attributes,
        clear_attributes=bind.clear_attributes,
        recursive_set=bind.recursive_set,
        recursive_clear=bind.recursive_clear,
        uid_map=copy.uid_map if copy else (),
        gid_map=copy.gid_map if copy else (),
        map_recursive=bool(copy and copy.map_recursive),
    )


def _bind(name: str, bind: steps.BindMount) -> steps.BindMount:
    return steps.BindMount(
        bind.source,
        bind.target,
        recursive=bind.recursive,
        propagation=bind.propagation,
        staged=name,
    )


def _node(name: str, node: steps.MakeNode, uid_map: Map, gid_map: Map) -> steps.StageNode:
    return steps.StageNode(
        name,
        node.path,
        node.kind,
        node.major,
        node.minor,
        node.mode,
        max(outside(uid_map, node.uid), 0),
        max(outside(gid_map, node.gid), 0),
    )
