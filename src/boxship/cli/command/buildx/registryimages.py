"""Images of registries as ``imagetools`` sees them: documents, and descriptors of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.cli.registryauth import credentials_for
from boxship.cli.registryclient import opened
from boxship.cli.session import Session
from boxship.oci.reference import InvalidReferenceError, Reference, parse

if TYPE_CHECKING:
    from boxship.distribution.registries import Registries
    from boxship.distribution.repository import Repository

Document = dict[str, Any]

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
DOCKER_INDEX_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEX_TYPES = (INDEX_TYPE, DOCKER_INDEX_TYPE)


class Found(NamedTuple):
    """A manifest or index, as its registry has it."""

    name: Reference
    media_type: str
    digest: str
    data: bytes

    @property
    def is_index(self) -> bool:
        return self.media_type in INDEX_TYPES

    @property
    def descriptor(self) -> Document:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)}

    @property
    def document(self) -> Document:
        found = json.loads(self.data)
        if not isinstance(found, dict):
            raise InvalidArgumentError(f"the manifest of {self.name.familiar} is no JSON object")
        return found


def reference(text: str) -> Reference:
    try:
        return parse(text).with_default_tag()
    except InvalidReferenceError as error:
        raise InvalidArgumentError(f"{text!r}: {error}") from error


class Images:
    """What can be asked of registries, with the logins of the session."""

    def __init__(self, session: Session, registries: "Registries") -> None:
        self._session = session
        self.registries = registries

    def repository(self, name: Reference) -> "Repository":
        return self.registries.repository(name, credentials_for(self._session, name))

    def fetch(self, name: Reference) -> Found:
        try:
            found = self.repository(name).manifest(name.digest or name.tag)
        except NotFoundError as error:
            raise NotFoundError(f"{name}: not found") from error
        return Found(name, found.media_type, str(found.digest), found.data)

    def config(self, found: Found) -> Document:
        """The config of a manifest; empty for an artifact without one."""
        from boxship.distribution.cancel import Cancel
        from boxship.oci.image import Manifest, decode

        manifest = decode(found.data, Manifest)
        data = b"".join(self.repository(found.name).blob(manifest.config, Cancel()))
        document = json.loads(data)
        return document if isinstance(document, dict) else {}


@contextmanager
def images(session: Session) -> Iterator[Images]:
    with opened() as registries:
        yield Images(session, registries)


def platform_text(document: Document) -> str:
    """``linux/arm/v7`` from a descriptor's platform; empty if it has none."""
    platform = document.get("platform") or {}
    parts = (platform.get("os"), platform.get("architecture"), platform.get("variant"))
    return "/".join(str(part) for part in parts if part)
