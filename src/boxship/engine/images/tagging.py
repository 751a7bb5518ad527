"""Name an image; the image that had the name before loses it."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from boxship.base.errors import InvalidArgumentError
from boxship.engine.images.catalog import KnownImage, understand
from boxship.engine.images.scope import ImageScope, parsed, whole_id
from boxship.engine.images.variants import Variant
from boxship.oci.reference import InvalidReferenceError, Reference


async def tag(scope: ImageScope, source: str, repository: str, tag_: str) -> None:
    """Call ``source`` by another name as well. NotFoundError; InvalidArgumentError: a bad name."""
    name = _new_name(repository, tag_)
    async with scope.changing:
        known = scope.find(source)
        record = replace(known.record, last_tagged_ns=scope.clock.now_ns())
        config = await asyncio.to_thread(scope.storage.blobs.read, known.id)
        kept = _kept_for(scope, source, known)
        await scope.catalog.put(understand(record, config), [name], kept)
    scope.announce("tag", known, name=name.familiar)


def _kept_for(scope: ImageScope, source: str, known: KnownImage) -> Sequence[Variant]:
    """Return the variants that a new name for ``source`` has as well."""
    if whole_id(source) is not None:
        return ()
    name = parsed(source)
    named = scope.catalog.named(name)
    is_named = named is not None and named.id == known.id
    return scope.catalog.variants_of(name) if is_named else ()


def _new_name(repository: str, tag: str) -> Reference:
    name = parsed(repository)
    if name.digest:
        raise InvalidArgumentError("refusing to create a tag with a digest reference")
    if name.familiar_name == "sha256":
        raise InvalidArgumentError(
            "refusing to create an ambiguous tag using digest algorithm as name"
        )
    try:
        return name.with_tag(tag) if tag else name.with_default_tag()
    except InvalidReferenceError as error:
        raise InvalidArgumentError(str(error)) from error
