"""Names of images in archives and layouts: annotations of the index's descriptors."""

from collections.abc import Sequence

from boxship.base.errors import InvalidArgumentError
from boxship.copying.content import NoSuchImageError
from boxship.oci.image import Descriptor
from boxship.oci.reference import InvalidReferenceError, Reference, parse

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


def annotations(name: Reference | None) -> dict[str, str] | None:
    """What an index says of an image of this name."""
    if name is None or not name.tag:
        return None
    return {CONTAINERD_NAME: str(name), REF_NAME: name.tag}


def pick(descriptors: Sequence[Descriptor], name: str, where: str) -> Descriptor:
    """Find the one that ``name`` (a tag, a reference, or nothing) means. NoSuchImageError."""
    fitting = [one for one in descriptors if not name or name_fits(name, one)]
    if len({one.digest for one in fitting}) == 1:
        return fitting[0]
    known = sorted({text for one in descriptors for text in _names(one)})
    if not fitting:
        raise NoSuchImageError(
            f"{where} has no image {name!r}; it has {', '.join(known) or 'none'}"
        )
    raise InvalidArgumentError(
        f"{where} holds several images: say which one, of {', '.join(known)}"
    )


def name_fits(name: str, descriptor: Descriptor) -> bool:
    """Whether the descriptor has this name, in full or familiar form."""
    names = _names(descriptor)
    if name in names or name == descriptor.digest:
        return True
    wanted = canonical(name)
    return wanted is not None and wanted in {canonical(one) for one in names if "/" in one}


def canonical(text: str) -> str | None:
    """The full form of a name, with ``latest``; None for what is no reference."""
    try:
        return str(parse(text).with_default_tag())
    except InvalidReferenceError:
        return None


def _names(descriptor: Descriptor) -> list[str]:
    given = descriptor.annotations or {}
    return [given[key] for key in (CONTAINERD_NAME, REF_NAME) if given.get(key)]
