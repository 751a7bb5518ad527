"""Reading a bundle: ``config.json`` with paths that are relative to it made absolute."""

import os

from boxship.base import jsontext
from boxship.base.errors import InvalidArgumentError
from boxship.base.frozen import replace
from boxship.oci.runtime import Mount, Root, Spec

CONFIG = "config.json"


def load_spec(bundle: str) -> Spec:
    """Read a bundle's configuration; raise ValueError that names the field."""
    try:
        spec = Spec.from_json(_document(bundle))
    except ValueError as error:
        raise InvalidArgumentError(f"{CONFIG}: {error}") from None
    _check_version(spec.oci_version)
    return _with_absolute_paths(spec, bundle)


def unknown_in(bundle: str) -> list[str]:
    """Return the properties of a bundle's configuration that nobody reads."""
    from boxship.oci.unknown import unknown_properties

    return list(unknown_properties(Spec, _document(bundle)))


def _document(bundle: str) -> object:
    path = os.path.join(bundle, CONFIG)
    try:
        with open(path, "rb") as stream:
            return jsontext.loads(stream.read())
    except FileNotFoundError:
        raise InvalidArgumentError(f"{path}: no such file; a bundle has one") from None


def _check_version(version: str) -> None:
    if version.partition(".")[0] != "1":
        raise InvalidArgumentError(f"{CONFIG}: ociVersion: 1.x expected, not {version!r}")


def _with_absolute_paths(spec: Spec, bundle: str) -> Spec:
    mounts = tuple(_absolute(mount, bundle) for mount in spec.mounts)
    if spec.root is None:
        return replace(spec, mounts=mounts)
    path = os.path.normpath(os.path.join(bundle, spec.root.path))
    if not os.path.isdir(path):
        raise InvalidArgumentError(f"{CONFIG}: root.path: {path}: no such directory")
    if os.path.realpath(path) != path:
        # Whoever could exchange the link between two looks would have the host's root mounted.
        raise InvalidArgumentError(f"{CONFIG}: root.path: {path}: a symbolic link leads there")
    return replace(spec, root=Root(path, spec.root.readonly), mounts=mounts)


def _absolute(mount: Mount, bundle: str) -> Mount:
    bind = mount.type == "bind" or "bind" in mount.options or "rbind" in mount.options
    if not bind or mount.source.startswith("/"):
        return mount
    return replace(mount, source=os.path.join(bundle, mount.source))
