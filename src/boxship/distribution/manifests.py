"""Manifests and indexes over HTTP: asking, and believing only what adds up."""

from dataclasses import dataclass

import msgspec

from boxship.distribution.answers import number
from boxship.distribution.errors import BadRegistryAnswerError
from boxship.distribution.session import Ask
from boxship.distribution.transport import Reply
from boxship.oci.digest import Digest, DigestError
from boxship.oci.image import (
    DOCKER_INDEX_TYPE,
    DOCKER_MANIFEST_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    Descriptor,
)

_LONGEST = 8 << 20
_TYPES = (INDEX_TYPE, DOCKER_INDEX_TYPE, MANIFEST_TYPE, DOCKER_MANIFEST_TYPE)
# Never asked for. Some registries send it all the same; whoever asked refuses it by its type.
_SCHEMA_1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"
_SCHEMA_1 = frozenset({"application/vnd.docker.distribution.manifest.v1+json", _SCHEMA_1_SIGNED})
_UNTYPED = frozenset({"", "application/json", "text/plain", "application/octet-stream"})


@dataclass(frozen=True, slots=True)
class FetchedManifest:
    """A manifest or index as the registry keeps it; ``digest`` is that of ``data``, verified."""

    media_type: str
    digest: Digest
    data: bytes


class _Typed(msgspec.Struct, rename="camel"):
    schema_version: int = 0
    media_type: str = ""
    manifests: tuple[msgspec.Raw, ...] | None = None
    layers: tuple[msgspec.Raw, ...] | None = None


def ask(method: str, path: str, target: str | Digest, scopes: frozenset[str]) -> Ask:
    """Return the request for a manifest. A registry may not know HEAD: 405 is an answer to it."""
    accept = {"Accept": ", ".join(_TYPES)}
    url = f"{path}/manifests/{target}"
    expected = (200, 405) if method == "HEAD" else (200,)
    return Ask(method, url, scopes, expected, accept, assumed="MANIFEST_UNKNOWN")


def described(reply: Reply, target: str | Digest) -> Descriptor | None:
    """Read the headers of an answer to HEAD; ``None`` if they don't say enough."""
    media_type = _media_type(reply)
    length = number(reply.headers.get("Content-Length", ""))
    claimed = _claimed(reply)
    digest = target if isinstance(target, Digest) else claimed
    if reply.status != 200 or media_type not in _TYPES or length is None or digest is None:
        return None
    if claimed is not None and claimed.algorithm == digest.algorithm and claimed != digest:
        raise BadRegistryAnswerError(f"{reply.url}: asked for {digest} and was offered {claimed}")
    return Descriptor(media_type=media_type, digest=str(digest), size=length)


def fetched(reply: Reply, target: str | Digest) -> FetchedManifest:
    """Read an answer to GET. Raise BadRegistryAnswerError if it isn't what it says it is."""
    data = reply.read(_LONGEST)
    wanted = target if isinstance(target, Digest) else _claimed(reply)
    digest = Digest.of(data, wanted.algorithm if wanted is not None else "sha256")
    if wanted is not None and digest != wanted:
        raise BadRegistryAnswerError(
            f"manifest verification failed for digest {wanted}: {reply.url} sent {digest}"
        )
    return FetchedManifest(_type_of(reply, data), digest, data)


def descriptor(manifest: FetchedManifest) -> Descriptor:
    """Return what points to a manifest."""
    return Descriptor(
        media_type=manifest.media_type, digest=str(manifest.digest), size=len(manifest.data)
    )


def storing(
    path: str, target: str | Digest, media_type: str, data: bytes, scopes: frozenset[str]
) -> Ask:
    """Return the request that stores a manifest."""
    headers = {"Content-Type": media_type}
    return Ask("PUT", f"{path}/manifests/{target}", scopes, (200, 201, 202), headers, data)


def stored(reply: Reply, data: bytes) -> Digest:
    """Return the digest of what was stored. Raise if the registry claims another one."""
    claimed = _claimed(reply)
    digest = Digest.of(data, claimed.algorithm if claimed is not None else "sha256")
    if claimed is not None and claimed != digest:
        raise BadRegistryAnswerError(f"{reply.url}: stored {digest}, and claims it is {claimed}")
    return digest


def _type_of(reply: Reply, data: bytes) -> str:
    media_type = _media_type(reply)
    if media_type in _TYPES or media_type in _SCHEMA_1:
        return media_type
    try:
        typed = msgspec.json.decode(data, type=_Typed)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        typed = _Typed()
    if media_type in _UNTYPED and typed.schema_version == 1:
        return _SCHEMA_1_SIGNED
    if media_type not in _UNTYPED or typed.schema_version != 2:
        raise BadRegistryAnswerError(
            f"{reply.url} answered with content type {media_type or 'missing'}, which is no "
            "manifest: is it a registry?"
        )
    if typed.media_type in _TYPES:
        return typed.media_type
    return INDEX_TYPE if typed.manifests is not None else MANIFEST_TYPE


def _media_type(reply: Reply) -> str:
    return reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _claimed(reply: Reply) -> Digest | None:
    text = reply.headers.get("Docker-Content-Digest", "")
    if not text:
        return None
    try:
        return Digest.parse(text)
    except DigestError as error:
        raise BadRegistryAnswerError(f"{reply.url}: Docker-Content-Digest: {error}") from error
