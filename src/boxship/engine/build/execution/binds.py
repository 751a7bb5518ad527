"""``RUN --mount=type=bind``: parts of other trees in a step's own.

::

                    read-only                          rw, and thrown away with the step
    layers          mounted alone, as images are       an overlay with a place above them
    a directory     itself                             the same
    users mapped    hard links to the layers' files    a copy

The last, because the kernel maps the owners of plain directories, and of no overlay.
"""

import os
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager

from msgspec.structs import replace

from boxship.base import ids
from boxship.base.errors import InvalidArgumentError
from boxship.base.files import opened
from boxship.engine.build.execution.ground import Ground
from boxship.engine.build.files.seeding import seed_directory
from boxship.engine.build.trees import DirectoryTree, LayersTree, Tree
from boxship.engine.containers import mountsources
from boxship.engine.containers.record import MountPoint
from boxship.engine.images.bridge import in_thread, to_the_end
from boxship.kernel import mounts as k
from boxship.oci.digest import Digest
from boxship.solver.operations import BindMount
from boxship.storage.flatten import flatten
from boxship.storage.snapshots import DirectoryMount, OverlayMount

_KIND = "volume"
"""Of mount points whose files keep the owners that containers see."""


async def bound(ground: Ground, mount: BindMount, number: int, stack: AsyncExitStack) -> MountPoint:
    """Return the mount point; what is made for it goes with ``stack``. InvalidArgumentError."""
    tree, part = ground.tree(mount.input), mount.source.strip("/")
    point = MountPoint(
        _KIND, mount.target, read_write=mount.writable, options=("rbind",), subpath=part
    )
    if isinstance(tree, LayersTree) and not tree.layers:
        raise InvalidArgumentError(f"{mount.target}: there is nothing to mount from")
    if isinstance(tree, DirectoryTree) and not mount.writable:
        return replace(point, source=tree.path)
    if ground.context.settings.user_maps is not None:
        copy = stack.enter_context(_place(ground, ()))
        await to_the_end(_filled(ground, tree, copy, link=not mount.writable))
        return replace(point, source=f"{copy}/tree")
    if mount.writable:
        source = stack.enter_context(_writable(ground, tree, number))
        return replace(point, source=source)
    assert isinstance(tree, LayersTree)
    layers = tuple(map(str, tree.layers))
    return replace(point, type="image", source="the build", layers=layers)


@contextmanager
def _place(ground: Ground, layers: tuple[Digest, ...]) -> Iterator[str]:
    """Own a snapshot of nobody's; yield where it may be written to."""
    snapshots, key = ground.context.snapshots, ids.new_id()
    snapshots.prepare(key, layers)
    try:
        yield snapshots.place(key)
    finally:
        snapshots.remove(key)


async def _filled(ground: Ground, tree: Tree, place: str, *, link: bool) -> None:
    """Have a directory ``tree`` in ``place`` with all that a tree has."""
    context, target = ground.context, f"{place}/tree"

    def fill() -> None:
        if link and isinstance(tree, LayersTree):
            view = context.snapshots.view(tree.layers)
            names = [os.path.join(view.cwd, name) for name in view.lower]
            flatten(names, target, context.snapshots.opaque, link=True)
        else:
            os.mkdir(target, 0o755)
            seed_directory(context.snapshots, context.paths.mountpoint, tree, "/", target)

    await in_thread(fill)


@contextmanager
def _writable(ground: Ground, tree: Tree, number: int) -> Iterator[str]:
    """Mount a tree with a place above it for what is written."""
    snapshots, key = ground.context.snapshots, ids.new_id()
    snapshots.prepare(key, tree.layers if isinstance(tree, LayersTree) else ())
    target = f"{ground.place}/{number}.over"
    try:
        mount = snapshots.mount(key)
        if isinstance(mount, DirectoryMount):
            if isinstance(tree, DirectoryTree):
                raise InvalidArgumentError("the storage driver vfs cannot mount a context with rw")
            yield mount.path
            return
        os.makedirs(target, 0o700)
        _mount_over(mount, tree, target)
        yield target
    finally:
        mountsources.clear(target)
        snapshots.remove(key)


def _mount_over(mount: OverlayMount, tree: Tree, target: str) -> None:
    with opened(mount.cwd, os.O_PATH | os.O_DIRECTORY) as top, ExitStack() as stack:
        names = [f"/proc/self/fd/{top}/{name}" for name in mount.lower]
        if isinstance(tree, DirectoryTree):
            context = stack.enter_context(opened(tree.path, os.O_PATH | os.O_DIRECTORY))
            names = [f"/proc/self/fd/{context}"]
        upper, work = (f"/proc/self/fd/{top}/{name}" for name in (mount.upper, mount.work))
        places = (f"upperdir={upper}", f"workdir={work}")
        options = (f"lowerdir={':'.join(names)}", *places, *mount.options)
        k.mount("overlay", target, "overlay", k.MS_NODEV, ",".join(options))
