"""``pb`` (solver/pb/ops.proto): of LLB only what a client sends and gets besides operations."""

from typing import Annotated

from boxship.wire.protobuf import Message


class Platform(Message, frozen=True):
    architecture: Annotated[str, 1] = ""
    os: Annotated[str, 2] = ""
    variant: Annotated[str, 3] = ""
    os_version: Annotated[str, 4] = ""
    os_features: Annotated[tuple[str, ...], 5] = ()


class Input(Message, frozen=True):
    """An edge: the digest of the operation it comes from, and which of its outputs."""

    digest: Annotated[str, 1] = ""
    index: Annotated[int, 2] = 0


class SourceOp(Message, frozen=True):
    identifier: Annotated[str, 1] = ""
    """``docker-image://…``, ``local://…``, ``git://…``, ``https://…``."""
    attrs: Annotated[dict[str, str], 2] = {}


class Op(Message, frozen=True):
    """An operation. Of its kinds only sources are known here; others are empty."""

    inputs: Annotated[tuple[Input, ...], 1] = ()
    source: Annotated[SourceOp | None, 3] = None
    platform: Annotated[Platform | None, 10] = None


class Position(Message, frozen=True):
    line: Annotated[int, 1] = 0
    character: Annotated[int, 2] = 0


class Range(Message, frozen=True):
    start: Annotated[Position | None, 1] = None
    end: Annotated[Position | None, 2] = None


class ProgressGroup(Message, frozen=True):
    id: Annotated[str, 1] = ""
    name: Annotated[str, 2] = ""
    weak: Annotated[bool, 3] = False


class OpMetadata(Message, frozen=True):
    """What is said of an operation and doesn't change what it does."""

    ignore_cache: Annotated[bool, 1] = False
    description: Annotated[dict[str, str], 2] = {}
    caps: Annotated[dict[str, bool], 5] = {}
    progress_group: Annotated[ProgressGroup | None, 6] = None


class Definition(Message, frozen=True):
    """A graph: encoded operations, the last of which only names the result."""

    operations: Annotated[tuple[bytes, ...], 1] = ()
    metadata: Annotated[dict[str, OpMetadata], 2] = {}


class SourceInfo(Message, frozen=True):
    """A file that ranges speak of."""

    filename: Annotated[str, 1] = ""
    data: Annotated[bytes, 2] = b""
    definition: Annotated[Definition | None, 3] = None
    language: Annotated[str, 4] = ""
