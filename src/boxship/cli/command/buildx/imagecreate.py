"""``boxship buildx imagetools create``: an index of images that are in registries."""

import json
from collections.abc import Iterable
from typing import Any

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.building.flags import ANNOTATION, BUILDER, DEBUG, PROGRESS
from boxship.cli.command.buildx.registryimages import (
    DOCKER_INDEX_TYPE,
    INDEX_TYPE,
    Document,
    Found,
    Images,
    images,
    platform_text,
    reference,
)
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.progress import drain
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.oci.reference import Reference

FLAGS = (
    Flag("annotation", "", ANNOTATION, "Annotation of the index, as key=value"),
    Flag("append", "", kinds.BOOL, "Keep what the name has already"),
    BUILDER,
    DEBUG,
    Flag("dry-run", "", kinds.BOOL, "Print the index and push nothing"),
    Flag("file", "f", kinds.LIST, "Read descriptors of sources from this file, - for input"),
    Flag("metadata-file", "", kinds.STRING, "Write the descriptor of the result to this file"),
    Flag("platform", "p", kinds.CSV, "Take these platforms of the sources only"),
    Flag("prefer-index", "", kinds.BOOL, "An index even for a single image", default=True),
    PROGRESS,
    Flag("tag", "t", kinds.LIST, "Name of the result"),
)

_DOCKER = "application/vnd.docker."


def run(session: Session, given: Invocation) -> int:
    values = given.values
    targets = [reference(text) for text in values.many("tag")]
    names = [*given.arguments, *_from_files(values.many("file"), targets)]
    if values.on("append"):
        if len(targets) != 1:
            raise ExitError(FAILURE, "--append needs one --tag, whose images are kept")
        names.insert(0, str(targets[0]))
    if not names:
        raise ExitError(FAILURE, "no sources specified")
    if not targets and not values.on("dry-run"):
        raise ExitError(FAILURE, "can't push without a tag: use --tag or --dry-run")
    with images(session) as found:
        sources = [found.fetch(reference(name)) for name in names]
        result = _result(found, sources, given)
        if values.on("dry-run"):
            session.say(result.data.decode())
            return 0
        for target in targets:
            _push(session, found, result, sources, target)
            session.say(f"pushed {target} with {result.digest}")
    if values.text("metadata-file"):
        described = {"containerimage.descriptor": result.descriptor}
        with open(values.text("metadata-file"), "w", encoding="utf-8") as file:
            json.dump(described, file, indent=2)
    return 0


def _from_files(paths: Iterable[str], targets: list[Reference]) -> list[str]:
    """Names by the digests of descriptors, in the repository of the result."""
    from boxship.cli.archive import read_pieces

    names = []
    for path in paths:
        try:
            document = json.loads(b"".join(read_pieces(path)))
            digest = document["digest"]
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidArgumentError(f"{path} is no descriptor in JSON") from error
        if not targets:
            raise ExitError(FAILURE, "--file needs --tag: its digests are of that repository")
        names.append(f"{targets[0].name}@{digest}")
    return names


def _result(found: Images, sources: list[Found], given: Invocation) -> Found:
    """The index, or the only source as it is."""
    annotations = dict(_annotations(given.values.many("annotation")))
    platforms = given.values.many("platform")
    only = sources[0]
    keep = only.is_index or not given.values.on("prefer-index")
    if len(sources) == 1 and keep and not annotations and not platforms:
        return only
    entries: dict[str, Document] = {}
    for source in sources:
        for entry in _entries(found, source):
            if not platforms or platform_text(entry) in platforms:
                # Of images for the same platform the last one is meant.
                entries[platform_text(entry) or str(entry["digest"])] = entry
    if not entries:
        raise InvalidArgumentError("none of the sources is for the platforms that are wanted")
    data = json.dumps(_index(list(entries.values()), annotations), indent=2).encode()
    return _made(only.name, data)


def _annotations(given: tuple[tuple[str, str], ...]) -> Iterable[tuple[str, str]]:
    for name, value in given:
        kind, _, key = name.partition(".")
        if kind not in ("annotation", "annotation-index"):
            raise InvalidArgumentError(f"an index has no annotations of {kind!r}")
        yield key, value


def _entries(found: Images, source: Found) -> list[Document]:
    if source.is_index:
        return list(source.document.get("manifests") or ())
    config = found.config(source)
    platform = {
        name: config[name] for name in ("architecture", "os", "variant") if config.get(name)
    }
    return [{**source.descriptor, "platform": platform}]


def _index(entries: list[Document], annotations: dict[str, str]) -> Document:
    docker = all(str(entry.get("mediaType", "")).startswith(_DOCKER) for entry in entries)
    index: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": DOCKER_INDEX_TYPE if docker and not annotations else INDEX_TYPE,
        "manifests": entries,
    }
    return index | ({"annotations": annotations} if annotations else {})


def _made(name: Reference, data: bytes) -> Found:
    from boxship.oci.digest import Digest

    media_type = json.loads(data)["mediaType"]
    return Found(name, media_type, str(Digest.of(data)), data)


def _push(
    session: Session, found: Images, result: Found, sources: list[Found], target: Reference
) -> None:
    """Bring what the index names to the target's repository, then the index itself."""
    for source in sources:
        if source.name.name != target.name:
            _copy(session, found, source, target)
    found.repository(target).put_manifest(target.tag, result.media_type, result.data)


def _copy(session: Session, found: Images, source: Found, target: Reference) -> None:
    from boxship.cli.registryauth import credentials_for
    from boxship.client.endpoint import SshEndpoint
    from boxship.client.engine import EngineClient
    from boxship.copying.opening import Doors, Ends
    from boxship.copying.places import RegistryPlace
    from boxship.copying.plan import Choice
    from boxship.copying.transfer import copy
    from boxship.oci.platform import host

    def no_engine(where: SshEndpoint | None) -> EngineClient:
        raise AssertionError("both ends are registries")

    doors = Doors(no_engine, found.registries, lambda name: credentials_for(session, name))
    of = RegistryPlace(reference(f"{source.name.name}@{source.digest}"))
    to = RegistryPlace(reference(f"{target.name}@{source.digest}"))
    drain(copy(Ends(of, to, doors), Choice(host(), all=True)))


COMMAND = Command("[OPTIONS] [SOURCE...]", Arity(0, None), run, FLAGS)
