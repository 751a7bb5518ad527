"""``COPY`` and ``ADD``: what is copied from where to where."""

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.instructions import Add, Copy, Files
from boxship.dockerfile.places import Range
from boxship.engine.build.files.globbing import has_wildcards
from boxship.engine.build.planning.wish import Wish
from boxship.oci.digest import Digest
from boxship.oci.image import ImageConfig
from boxship.solver import operations
from boxship.solver.graph import Graph
from boxship.solver.operations import (
    FileAction,
    GitSource,
    HttpSource,
    Input,
    MakeFile,
    Owner,
)

_URL = re.compile(r"https?://", re.IGNORECASE)
_GIT = re.compile(
    r"(?:git@|git://|ssh://|[a-z0-9_.-]+@[a-z0-9_.-]+:)|https?://[^#?]*\.git(?:[#?]|$)"
)


@dataclass(slots=True)
class Inputs:
    """The inputs of a vertex that is being made."""

    digests: list[Digest] = field(default_factory=list)

    def position(self, digest: Digest | None) -> Input:
        """Return where an input stands, adding it if it is new; None for no files at all."""
        if digest is None:
            return None
        if digest not in self.digests:
            self.digests.append(digest)
        return self.digests.index(digest)


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """The actions of one instruction, and what they take files from."""

    actions: tuple[FileAction, ...]
    inputs: tuple[Digest, ...]
    root: Input


def shown_url(url: str) -> str:
    """Return an address as people may see it: without name and password."""
    return re.sub(r"^([a-z+]+://)[^/@]*@", r"\1", url, flags=re.IGNORECASE)


def is_url(text: str) -> bool:
    return _URL.match(text) is not None


def is_git(text: str) -> bool:
    return _GIT.match(text) is not None


def planned_files(
    instruction: Files,
    *,
    root: Digest | None,
    config: ImageConfig,
    origin: Callable[[], Digest | None],
    graph: Graph[Range],
    wish: Wish,
) -> CopyPlan:
    """Turn an instruction into actions; ``origin`` gives the tree that plain paths are in."""
    inputs = Inputs()
    below = None if instruction.link else inputs.position(root)
    target = _Target.of(instruction, config, wish)
    actions: list[FileAction] = []
    for source in instruction.sources:
        if isinstance(instruction, Add) and is_git(source):
            actions.append(_from_git(instruction, source, target, inputs, graph))
        elif isinstance(instruction, Add) and is_url(source):
            actions.append(_from_url(instruction, source, target, inputs, graph))
        else:
            actions.append(_from_tree(instruction, source, target, inputs.position(origin()), wish))
    actions += [
        MakeFile(
            f"{target.path}/" if target.is_directory else target.path,
            document.text.encode(),
            into_directory=document.name,
            mode=instruction.chmod,
            owner=target.owner,
            modified_ns=target.modified_ns,
        )
        for document in instruction.contents
    ]
    return CopyPlan(tuple(actions), tuple(inputs.digests), below)


@dataclass(frozen=True, slots=True)
class _Target:
    path: str
    is_directory: bool
    owner: Owner | None
    modified_ns: int | None

    @classmethod
    def of(cls, instruction: Files, config: ImageConfig, wish: Wish) -> "_Target":
        text = instruction.destination
        several = len(instruction.sources) + len(instruction.contents) > 1
        ends = text in ("", ".") or text.endswith(("/", "/.", "/.."))
        if wish.classic and several and not ends:
            raise DockerfileError(
                f"When using {_name(instruction)} with more than one source file, the destination "
                "must be a directory and end with a /",
                instruction.where,
            )
        path = posixpath.normpath(posixpath.join("/", config.working_dir, text))
        # Without the slash BuildKit has each source take the place of the one before it.
        is_directory = ends or (several and bool(instruction.contents))
        return cls(
            "/" + path.lstrip("/"), is_directory, _owner(instruction.chown), wish.modified_ns
        )


def _name(instruction: Files) -> str:
    return "ADD" if isinstance(instruction, Add) else "COPY"


def _owner(text: str) -> Owner | None:
    if not text:
        return None
    user, _, group = text.partition(":")
    return Owner(user, group)


def _from_tree(
    instruction: Files, source: str, target: _Target, position: Input, wish: Wish
) -> operations.Copy:
    from_context = not (isinstance(instruction, Copy) and instruction.origin is not None)
    adding = isinstance(instruction, Add)
    return operations.Copy(
        input=position,
        source=_within(source, instruction, strict=from_context and wish.classic),
        destination=target.path,
        into_directory=target.is_directory,
        owner=target.owner,
        mode=instruction.chmod,
        exclude=instruction.exclude,
        keep_parents=isinstance(instruction, Copy) and instruction.parents,
        unpack=adding and (not isinstance(instruction, Add) or instruction.unpack is not False),
        unpack_required=isinstance(instruction, Add) and instruction.unpack is True,
        required=wish.classic or not any(map(has_wildcards, source.split("/"))),
        modified_ns=target.modified_ns,
    )


def _within(source: str, instruction: Files, *, strict: bool) -> str:
    """Return a path of the source, absolute and clean; of ``--parents`` with its ``/./``."""
    clean = posixpath.normpath(source.lstrip("/") or ".")
    if strict and (clean == ".." or clean.startswith("../")):
        raise DockerfileError(
            f"forbidden path outside the build context: {source}", instruction.where
        )
    keeps = isinstance(instruction, Copy) and instruction.parents
    parts = source.split("/./") if keeps else [source]
    return "/" + "/./".join(posixpath.normpath("/" + part).lstrip("/") for part in parts)


def _from_url(
    instruction: Add, url: str, target: _Target, inputs: Inputs, graph: Graph[Range]
) -> operations.Copy:
    name = posixpath.basename(url.partition("?")[0].partition("#")[0].rstrip("/"))
    if target.is_directory and not name.strip("."):
        raise DockerfileError(f"cannot determine filename for {url}", instruction.where)
    operation = HttpSource(url, instruction.checksum, filename=name or "download")
    fetched = graph.add(operation, name=shown_url(url), place=instruction.where)
    return operations.Copy(
        input=inputs.position(fetched),
        source="/" + operation.filename,
        destination=target.path,
        into_directory=target.is_directory,
        owner=target.owner,
        mode=instruction.chmod or "0600",
        wildcards=False,
        unpack=instruction.unpack is True,
        unpack_required=instruction.unpack is True,
        modified_ns=target.modified_ns,
    )


def _from_git(
    instruction: Add, url: str, target: _Target, inputs: Inputs, graph: Graph[Range]
) -> operations.Copy:
    operation = git_source(
        url, checksum=instruction.checksum, keep_git=instruction.keep_git_dir is True
    )
    fetched = graph.add(operation, name=shown_url(url), place=instruction.where)
    return operations.Copy(
        input=inputs.position(fetched),
        source="/",
        destination=target.path,
        into_directory=target.is_directory,
        owner=target.owner,
        mode=instruction.chmod,
        exclude=instruction.exclude,
        wildcards=False,
        modified_ns=target.modified_ns,
    )


def git_source(url: str, *, checksum: str = "", keep_git: bool = False) -> GitSource:
    """Read a git address: ``<remote>[#<ref>[:<directory>]]`` or ``<remote>?ref=…&subdir=…``."""
    remote, _, fragment = url.partition("#")
    ref, _, directory = fragment.partition(":")
    remote, _, query = remote.partition("?")
    asked = dict(part.partition("=")[::2] for part in query.split("&") if part)
    ref = ref or asked.get("ref") or asked.get("tag") or asked.get("branch") or ""
    return GitSource(
        remote,
        ref=asked.get("commit") or ref,
        subdirectory=(directory or asked.get("subdir", "")).strip("/"),
        checksum=checksum or asked.get("checksum", ""),
        keep_git_directory=_flag(asked.get("keep-git-dir"), keep_git),
        submodules=_flag(asked.get("submodules"), True),
    )


def _flag(text: str | None, otherwise: bool) -> bool:
    return otherwise if text is None else text.lower() not in ("0", "false", "no")
