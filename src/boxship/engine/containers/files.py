"""A container's files from outside: what it has changed, and all of them as an archive."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from boxship.engine.containers.commit import check_readable, unreadable
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.images.bridge import outbound
from boxship.model.filechange import FileChange
from boxship.storage.archiving import tree_tar
from boxship.storage.changes import changes as compare
from boxship.storage.chunks import Buffer, coalesced
from boxship.storage.layered import UnreadableError


async def changes(context: Context, container: Container) -> Sequence[FileChange]:
    """Compare what it sees with its image."""
    check_readable(container, "diff")
    try:
        return await asyncio.to_thread(lambda: list(compare(context.snapshots, container.id)))
    except UnreadableError as error:
        raise unreadable(context, container, error) from error


def export(context: Context, container: Container) -> AsyncIterator[Buffer]:
    """Write the tree it sees as a tar; what is mounted into it does not belong to it.

    It goes on meanwhile, if it runs: see ``storage/archiving.py`` for what that means.
    """
    check_readable(container, "export")
    return _exported(context, container)


async def _exported(context: Context, container: Container) -> AsyncIterator[Buffer]:
    try:
        async for chunk in outbound(coalesced(tree_tar(context.snapshots, container.id))):
            yield chunk
    except UnreadableError as error:
        raise unreadable(context, container, error) from error
    context.announcer.say(container.record, "export")
