"""Images that a container has mounted: found at create, and kept as long as its record names them.

They are what they were then: a name that comes to mean another image changes nothing.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import msgspec

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.context import Context
from boxship.engine.containers.record import MountPoint


@contextmanager
def held(context: Context, points: tuple[MountPoint, ...]) -> Iterator[tuple[MountPoint, ...]]:
    """Find the images of mount points, and keep them while the ``with`` lasts.

    NotFoundError: there is none of that name.
    """
    with ExitStack() as stack:
        yield tuple(
            _found(context, stack, point) if point.type == "image" else point for point in points
        )


def _found(context: Context, stack: ExitStack, point: MountPoint) -> MountPoint:
    image = stack.enter_context(context.images.hold(point.image_id or point.source))
    layers = tuple(map(str, image.layers))
    if not layers:
        raise InvalidArgumentError(
            f'invalid mount config for type "image": {point.source} has no layers'
        )
    return msgspec.structs.replace(point, image_id=str(image.id), layers=layers)
