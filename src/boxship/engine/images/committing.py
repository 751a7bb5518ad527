"""Make an image of another one and what a container has written over it.

::

    lease: the parent's layers ─► new layer unpacked ─► all on the disk ─► config ─► record, name

Before the record there is no image; what a failure or a crash leaves of the layer is swept.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from boxship.base.clock import format_ns
from boxship.base.errors import NotFoundError
from boxship.engine.images.bridge import in_thread
from boxship.engine.images.catalog import KnownImage
from boxship.engine.images.intake import add, name_for, taking_in
from boxship.engine.images.scope import ImageScope
from boxship.oci.digest import Digest
from boxship.oci.image import History, Image, ImageConfig, RootFS, encode
from boxship.storage.chunks import Buffer
from boxship.storage.layers import Layer


@dataclass(frozen=True, slots=True)
class ChildImage:
    """What an image gets that is made of another one. ``reference`` (``repo[:tag]``) may be empty.

    ``parent`` is an image's id.
    """

    parent: str
    config: ImageConfig
    container_id: str
    created_by: str = ""
    author: str = ""
    comment: str = ""
    reference: str = ""


async def commit(
    scope: ImageScope, child: ChildImage, read: Callable[[], Iterator[Buffer]]
) -> KnownImage:
    """Add the image whose topmost layer is the tar that ``read`` gives.

    An empty one makes no layer. What ``read`` raises comes out; then there is no image.
    """
    names = name_for(child.reference, "refusing to create a tag with a digest reference")
    parent = scope.catalog.find(Digest.parse(child.parent)) if child.parent else None
    if parent is None:
        raise NotFoundError(
            f"No such image: {child.parent or 'none'}; the container's image has been removed, "
            "export the container instead"
        )
    store = scope.storage.layers
    async with taking_in(scope) as lease:
        for diff_id in parent.layers:
            lease.hold(diff_id)
        layers = [store.get(diff_id) for diff_id in parent.layers]
        written = await in_thread(lambda: store.unpack(read(), lease))
        if written.entries:
            layers.append(written)
        await in_thread(scope.storage.writeback.finish)
        document = _document(parent.image, child, written, scope.clock.now_ns())
        known = await add(
            scope, encode(document), layers, names, origin="commit", parent=child.parent
        )
    for name in names:
        scope.announce("tag", known, name=name.familiar)
    return known


def _document(parent: Image, child: ChildImage, written: Layer, now_ns: int) -> Image:
    created = format_ns(now_ns)
    empty = not written.entries
    step = History(created, child.created_by, child.author, child.comment, empty_layer=empty)
    below = (parent.rootfs.diff_ids if parent.rootfs else None) or ()
    return replace(
        parent,
        created=created,
        author=child.author,
        comment="",
        container=child.container_id,
        docker_version="",
        parent="",
        config=child.config,
        rootfs=RootFS(diff_ids=below if empty else (*below, written.diff_id)),
        history=(*(parent.history or ()), step),
    )
