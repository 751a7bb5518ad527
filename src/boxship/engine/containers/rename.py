"""Give a container another name."""

import msgspec

from boxship.base.errors import ConflictError, InvalidArgumentError
from boxship.engine.containers import names, networking
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container, locked
from boxship.engine.containers.record import Status


async def rename(context: Context, container: Container, new_name: str) -> None:
    """Rename it; the old name is free at once."""
    if not new_name.removeprefix("/"):
        raise InvalidArgumentError("Neither old nor new names may be empty")
    async with locked(container):
        record, shelf = container.record, context.shelf
        if record.status in (Status.REMOVING, Status.DEAD):
            raise ConflictError(
                f"container {record.name} is marked for removal and cannot be renamed"
            )
        if new_name.removeprefix("/") == record.name:
            raise InvalidArgumentError(
                "Renaming a container with the same name as its current name"
            )
        try:
            name = names.checked(f"/{new_name.removeprefix('/')}")
            shelf.reserve(name, record.id)
        except (InvalidArgumentError, ConflictError) as error:
            raise type(error)(f"Error when allocating new name: {error}") from None
        try:
            await shelf.save_durable(
                container, msgspec.structs.replace(record, name=name), "rename"
            )
        except BaseException:
            shelf.release(name, record.id)
            raise
        shelf.release(record.name, record.id)
        await networking.renamed(context, container)
        context.announcer.say(container.record, "rename", {"oldName": f"/{record.name}"})
