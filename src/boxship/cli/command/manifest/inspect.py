"""``boxship manifest inspect``."""

import base64
import json
from typing import TYPE_CHECKING, Any

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.registryauth import credentials_for
from boxship.cli.registryclient import opened
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.oci.reference import InvalidReferenceError, Reference, parse

if TYPE_CHECKING:
    from boxship.distribution.repository import Repository

FLAGS = (
    Flag("insecure", "", kinds.BOOL, "The registry may be one without a certificate"),
    Flag("verbose", "v", kinds.BOOL, "Show each platform's manifest, and the bytes of it"),
)

_OCI = "application/vnd.oci."


def run(session: Session, given: Invocation) -> int:
    name = given.arguments[-1]
    try:
        reference = parse(name).with_default_tag()
    except InvalidReferenceError as error:
        raise InvalidArgumentError(str(error)) from error
    insecure = (reference.domain,) if given.values.on("insecure") else ()
    with opened(*insecure) as registries:
        repository = registries.repository(reference, credentials_for(session, reference))
        try:
            shown = _shown(repository, reference, verbose=given.values.on("verbose"))
        except NotFoundError as error:
            raise ExitError(FAILURE, f"no such manifest: {reference.familiar}") from error
    session.say(json.dumps(shown, indent="\t", ensure_ascii=False))
    return 0


def _shown(repository: "Repository", reference: Reference, *, verbose: bool) -> Any:
    from boxship.oci.image import INDEX_TYPES

    found = repository.manifest(reference.digest or reference.tag)
    document = _document(found.data, reference)
    if not verbose:
        return document
    descriptor = {
        "mediaType": found.media_type,
        "digest": str(found.digest),
        "size": len(found.data),
    }
    if found.media_type not in INDEX_TYPES:
        platform = _platform(repository, found.data)
        return _entry(str(reference), descriptor | platform, found.data, document)
    return [_of_index(repository, reference, entry) for entry in document.get("manifests") or ()]


def _of_index(repository: "Repository", reference: Reference, entry: dict[str, Any]) -> Any:
    from boxship.oci.digest import Digest

    found = repository.manifest(Digest.parse(str(entry.get("digest"))))
    name = f"{reference.name}@{found.digest}"
    if reference.tag:
        name = f"{reference.name}:{reference.tag}@{found.digest}"
    return _entry(name, entry, found.data, _document(found.data, reference))


def _entry(name: str, descriptor: dict[str, Any], data: bytes, document: Any) -> dict[str, Any]:
    is_oci = str(descriptor.get("mediaType", "")).startswith(_OCI)
    return {
        "Ref": name,
        "Descriptor": descriptor,
        "Raw": base64.b64encode(data).decode(),
        "OCIManifest" if is_oci else "SchemaV2Manifest": document,
    }


def _platform(repository: "Repository", data: bytes) -> dict[str, Any]:
    """The platform that the image's config names, as an index would have it."""
    from boxship.distribution.cancel import Cancel
    from boxship.oci.image import Image, MalformedImageError, Manifest, decode

    try:
        config = decode(data, Manifest).config
        image = decode(b"".join(repository.blob(config, Cancel())), Image)
    except MalformedImageError:
        return {}  # an artifact whose config is something of its own
    platform = {"architecture": image.architecture, "os": image.os}
    return {"platform": platform | ({"variant": image.variant} if image.variant else {})}


def _document(data: bytes, reference: Reference) -> Any:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise InvalidArgumentError(f"the manifest of {reference.familiar} is no JSON") from error
    if not isinstance(document, dict):
        raise InvalidArgumentError(f"the manifest of {reference.familiar} is no JSON object")
    return document


COMMAND = Command("[OPTIONS] [MANIFEST_LIST] MANIFEST", Arity(1, 2), run, FLAGS)
