"""Cache keys: what tells that an earlier result will do.

A result has two keys::

    by recipe     H(operation, keys of the inputs)       known before anything below has run
    by content    H(operation, contents of the inputs)   known once the inputs are there

The first lets a whole chain be skipped from its end, even if results in between are long gone. The
second finds a result whose inputs were made anew and came out the same. What of an input decides
depends on its use: of what a program runs over, everything (the layers' chain); of what is copied
or mounted, only the files in question, by content, kind, mode and owner. Times never decide.

An input that was made ``fresh`` has no recipe key: its result is not a function of its recipe, or
nobody would have asked for it again. So what stands on it is found by content only.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from boxship.oci.digest import Digest, new_hasher
from boxship.solver.operations import (
    BindMount,
    CacheMount,
    Copy,
    Exec,
    FileActions,
    Merge,
    Operation,
)

VERSION = b"boxship build 2\n"
"""Changes when the same operation comes to mean another result: then nothing old fits."""

_ENCODER = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True)
class Part:
    """What is used of an input: everything (``whole``), or what patterns select.

    ``paths`` and ``exclude`` are in the words of ``operations.Copy``.
    """

    input: int
    paths: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    wildcards: bool = False
    parents: tuple[str, ...] = ()
    """Directories whose own mode and owner come along, whatever is in them."""

    @property
    def whole(self) -> bool:
        return not self.paths


def parts(operation: Operation) -> tuple[Part, ...]:
    """Return what the operation uses of which input, in the order in which it decides."""
    if isinstance(operation, Exec):
        return _parts_of_exec(operation)
    if isinstance(operation, FileActions):
        root = () if operation.root is None else (Part(operation.root),)
        copies = (_part_of_copy(each) for each in operation.actions if isinstance(each, Copy))
        return (*root, *(part for part in copies if part is not None))
    return ()


def _part_of_copy(action: Copy) -> Part | None:
    if action.input is None:
        return None
    if not action.keep_parents:
        return Part(action.input, (action.source,), action.exclude, action.wildcards)
    # Its patterns go through directories (``**``): what is below the part without any decides, and
    # the directories on the way there, which are made like those of the source.
    names = [name for name in action.source.split("/") if name not in ("", ".")]
    fixed = list(itertools.takewhile(lambda name: not set(name) & set("*?[\\"), names))
    paths = ["/" + "/".join(fixed[:n]) for n in range(len(fixed) + 1)]
    return Part(action.input, (paths[-1],), parents=tuple(paths[1:-1]))


def _parts_of_exec(operation: Exec) -> tuple[Part, ...]:
    found = [] if operation.root is None else [Part(operation.root)]
    for mount in operation.mounts:
        # What a cache begins with does not decide: it is only there when the cache is new.
        if isinstance(mount, BindMount) and mount.input is not None:
            found.append(Part(mount.input, (mount.source,)))
    return tuple(found)


def unkeyed_inputs(operation: Operation) -> frozenset[int]:
    """Return the inputs that are used and do not decide."""
    if not isinstance(operation, Exec):
        return frozenset()
    seeds = {m.input for m in operation.mounts if isinstance(m, CacheMount)}
    return frozenset(i for i in seeds if i is not None)


def definition(operation: Operation) -> Digest:
    """Return the digest of what an operation says by itself."""
    return Digest.of(VERSION + _ENCODER.encode(operation))


def combined(kind: str, operation: Operation, inputs: Iterable[Digest]) -> Digest:
    """Return the key of an operation over inputs; ``kind`` keeps recipes and contents apart."""
    hasher = new_hasher()
    hasher.update(f"{kind} {definition(operation)}\n".encode())
    for each in inputs:
        hasher.update(f"{each}\n".encode())
    return Digest("sha256", hasher.hexdigest())


def recipe_key(operation: Operation, inputs: Sequence[Digest], date: str = "") -> Digest:
    """Return the key that is known beforehand; ``inputs`` are keys, one for each of ``parts``.

    ``date`` is the latest that any file of the result may have; empty: none.
    """
    kind = "merge" if isinstance(operation, Merge) else f"recipe {date}".rstrip()
    return combined(kind, operation, inputs)


def content_key(operation: Operation, contents: Sequence[Digest], date: str = "") -> Digest:
    """Return the key by contents, one for each of ``parts``."""
    return combined(f"content {date}".rstrip(), operation, contents)


def layers_key(layers: Iterable[Digest]) -> Digest:
    """Return the content of a tree that is layers, lowest first."""
    hasher = new_hasher()
    hasher.update(b"layers\n")
    for layer in layers:
        hasher.update(f"{layer}\n".encode())
    return Digest("sha256", hasher.hexdigest())
