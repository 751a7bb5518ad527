"""What ``rmi`` does, decided before anything is done.

A *name* takes only that name away, unless it is the image's last; then the image goes too. An *id*
(or a prefix of one) takes the image with all its names, if these are of one repository.

Conflicts, in the order they are looked for; ``force`` overrides the soft ones only::

    hard   images that were built on this one
    hard   a running container
    soft   names in several repositories (when asked by id)
    soft   a stopped container
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from boxship.base.errors import ConflictError, NotFoundError
from boxship.base.ids import short_id
from boxship.engine.images.users import ImageUse
from boxship.oci.digest import Digest
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class Target:
    """An image as the decision sees it."""

    id: Digest
    names: Sequence[Reference]
    has_children: bool
    uses: Sequence[ImageUse]


@dataclass(frozen=True, slots=True)
class Removal:
    """What to do: take these names away and, if ``delete``, the image."""

    untag: tuple[Reference, ...]
    delete: bool
    along: tuple[Reference, ...] = field(default=(), compare=False)
    """Those names that nobody asked for by themselves: no event tells of them."""


def by_name(target: Target, name: Reference, asked: Reference, *, force: bool) -> Removal:
    """Decide for ``rmi NAME``; ``name`` is one of the target's, ``asked`` what was written."""
    if not force and _one_repository(target.names) and target.uses:
        raise ConflictError(
            f'conflict: unable to remove repository reference "{asked.familiar}" (must force) - '
            f"container {short_id(target.uses[0].container_id)} is using its referenced image "
            f"{target.id.short}"
        )
    along = _orphaned_digests(target.names, name)
    taken = (name, *along)
    if len(taken) < len(target.names):
        return Removal(taken, delete=False, along=along)
    # The last name is gone: so is the image, unless somebody still needs it.
    needed = target.has_children or any(use.running or not force for use in target.uses)
    return Removal(taken, delete=not needed, along=along)


def by_id(target: Target, *, force: bool) -> Removal:
    """Decide for ``rmi ID``."""
    _check(target, force=force)
    return Removal(tuple(target.names), delete=True)


def check_offered(reference: str, offered: Sequence[Platform], wanted: Iterable[Platform]) -> None:
    """Raise NotFoundError for a platform that is wanted from an image and isn't there."""
    for platform in wanted:
        if not any(platform.asks_for(one) for one in offered):
            raise NotFoundError(
                f"image with reference {reference} was found but does not provide the specified "
                f"platform ({platform}): it has {', '.join(map(str, offered))}"
            )


def check_unused(uses: Sequence[ImageUse]) -> None:
    """Raise ConflictError if a container is made of what is to go from a name."""
    if uses:
        raise ConflictError(
            f"conflict: unable to delete {Digest.parse(uses[0].image_id).short} (must be forced) - "
            f"image is being used by container {short_id(uses[0].container_id)}"
        )


def is_unused(target: Target) -> bool:
    """Tell whether an untagged parent may be pruned along with its child."""
    return not (target.names or target.uses or target.has_children)


def _check(target: Target, *, force: bool) -> None:
    running = next((use for use in target.uses if use.running), None)
    if target.has_children:
        raise _conflict(target, "cannot be forced", "image has dependent child images")
    if running is not None:
        container = short_id(running.container_id)
        message = f"image is being used by running container {container}"
        raise _conflict(target, "cannot be forced", message)
    if force:
        return
    if target.names and not _one_repository(target.names):
        message = "image is referenced in multiple repositories"
        raise _conflict(target, "must be forced", message)
    if target.uses:
        container = short_id(target.uses[0].container_id)
        message = f"image is being used by stopped container {container}"
        raise _conflict(target, "must be forced", message)


def _conflict(target: Target, how: str, why: str) -> ConflictError:
    return ConflictError(f"conflict: unable to delete {target.id.short} ({how}) - {why}")


def _one_repository(names: Sequence[Reference]) -> bool:
    """At most one tag, and digests of its repository only."""
    tags = [name for name in names if not name.digest]
    return bool(names) and len(tags) <= 1 and len({name.name for name in names}) == 1


def _orphaned_digests(names: Iterable[Reference], taken: Reference) -> tuple[Reference, ...]:
    """With a repository's last tag its digests go as well: nobody asked for them by themselves."""
    if taken.digest:
        return ()
    same = [name for name in names if name.name == taken.name and name != taken]
    return () if any(not name.digest for name in same) else tuple(same)
