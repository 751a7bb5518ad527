"""Commit: an image of what a container is now."""

from boxship.base.errors import ConflictError, NotFoundError
from boxship.engine.containers import commitconfig
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.record import Status
from boxship.engine.containers.requests import CommitRequest
from boxship.engine.containers.stillness import still
from boxship.engine.images.changes import apply_changes
from boxship.engine.images.committing import ChildImage
from boxship.engine.images.scope import parsed
from boxship.oci.digest import Digest
from boxship.storage.archiving import layer_tar
from boxship.storage.layered import UnreadableError


async def commit(context: Context, container: Container, request: CommitRequest) -> Digest:
    """Make the image; what a client got wrong is said before anything is read."""
    check_readable(container, "commit")
    record = container.record
    own = commitconfig.image_config(record.config)
    asked = own if request.config is None else commitconfig.image_config(request.config)
    config = commitconfig.completed(apply_changes(asked, request.changes), own)
    child = ChildImage(
        parent=record.image_id,
        config=config,
        container_id=record.id,
        created_by=" ".join(record.config.cmd or ()),
        author=request.author,
        comment=request.comment,
        reference=request.reference,
    )
    if not request.pause:
        return await _made(context, container, child)
    async with still(context, container):
        return await _made(context, container, child)


async def _made(context: Context, container: Container, child: ChildImage) -> Digest:
    try:
        image_id = await context.images.commit(
            child, lambda: layer_tar(context.snapshots, container.id)
        )
    except UnreadableError as error:
        raise unreadable(context, container, error) from error
    about = {
        "comment": child.comment,
        "imageID": str(image_id),
        "imageRef": parsed(child.reference).with_default_tag().familiar if child.reference else "",
    }
    context.announcer.say(container.record, "commit", about)
    return image_id


def check_readable(container: Container, verb: str) -> None:
    """Refuse a container whose files are going, or are of no use. ConflictError."""
    problem = {Status.REMOVING: "being removed", Status.DEAD: "Dead"}.get(container.record.status)
    if problem:
        raise ConflictError(f"You cannot {verb} container {container.id} which is {problem}")


def unreadable(context: Context, container: Container, error: UnreadableError) -> Exception:
    """Say why a container's files could not be read to the end."""
    snapshots = context.snapshots.keys()
    if container.gone.is_set() or container.id not in snapshots:
        return NotFoundError(f"No such container: {container.id}: it was removed meanwhile")
    return error
