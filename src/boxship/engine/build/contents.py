"""What is in files that a step uses, as one digest: it decides whether an earlier result will do.

Of each file: where it is below what was asked for, its kind, permissions, owner, and its content or
where it leads. Never its times. Patterns select by whole components, as Go's ``filepath.Match``
does; ``exclude`` takes away as ``.dockerignore`` does. Links on the way to what was asked for are
followed, within the tree.

A directory of the daemon is listed once per build (``listed``). Its files are read only if they are
others than an earlier listing knew, by inode, size and times: 10,000 files are looked at in some
50 ms. That is safe since nobody but the builder writes there, and a change of a file's content
changes its ``ctime``, which nobody can set.

Layers are read where they lie (``storage/layered.py``), and only those files that are asked for.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

import msgspec

from boxship.dockerfile.ignore import Ignore, Ignoring, ignore
from boxship.engine.build.files.copier import NOT_COPIED
from boxship.engine.build.files.globbing import compiled, has_wildcards, unescaped
from boxship.oci.digest import Digest
from boxship.solver.keys import Part
from boxship.storage.layered import LayeredTree, Node

_CHUNK = 1 << 20
_MOST_LINKS = 40
_NO_STAMP = (0, 0, 0, 0)
_WITHOUT_ATTRIBUTES = (errno.ENOTSUP, errno.EPERM, errno.ENODATA)


class File(msgspec.Struct, frozen=True, array_like=True):
    """One file of a listing. ``content`` is a digest's hex digits, or where a link leads."""

    mode: int
    content: str
    owner: str = ""
    stamp: tuple[int, int, int, int] = _NO_STAMP
    """Inode, size, ctime and mtime, by which an unchanged file is known."""
    attributes: str = ""
    """The extended attributes that copies take along (file capabilities among them)."""

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.mode)

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)


@dataclass(frozen=True, slots=True)
class Listing:
    """All files of a directory by path (``a/b``, without a slash in front), in order."""

    files: Mapping[str, File] = field(default_factory=dict)


def excluding(patterns: tuple[str, ...]) -> Ignore | None:
    """Return what tells which paths patterns leave out. InvalidArgumentError: a malformed one."""
    return ignore(patterns) if patterns else None


def listed(directory: str, known: Mapping[str, File], now_ns: int) -> Listing:
    """List a directory; what ``known`` has of an unchanged file is taken over. Blocks.

    ``now_ns`` is a time of the clock that gives files theirs, from before this call. Who changed a
    file since then may do so again at the same time (a tick lasts 4 ms; Linux 6.13 tells changes
    within one apart), so such a file gets no stamp, and is read again for the next listing.
    """
    found: dict[str, File] = {}
    _list(directory, "", known, found, now_ns)
    return Listing(dict(sorted(found.items())))


def _list(
    directory: str, below: str, known: Mapping[str, File], found: dict[str, File], now_ns: int
) -> None:
    with os.scandir(directory) as entries:
        for entry in entries:
            path = f"{below}{entry.name}"
            looked = entry.stat(follow_symlinks=False)
            mode = looked.st_mode
            if stat.S_ISDIR(mode):
                found[path] = File(mode, "", attributes=_attributes(entry.path))
                _list(entry.path, f"{path}/", known, found, now_ns)
                continue
            stamp = (looked.st_ino, looked.st_size, looked.st_ctime_ns, looked.st_mtime_ns)
            before = known.get(path)
            if before is not None and before.stamp == stamp and before.mode == mode:
                found[path] = before
            else:
                content, attributes = _content(entry.path, mode), _attributes(entry.path)
                settled = stamp if looked.st_ctime_ns < now_ns else _NO_STAMP
                found[path] = File(mode, content, stamp=settled, attributes=attributes)


def _attributes(file: str | int) -> str:
    """Return the attributes of a file, by its path (a link's own) or a descriptor, in one text."""
    follow = isinstance(file, int)
    try:
        names = sorted(os.listxattr(file, follow_symlinks=follow))
        return " ".join(
            f"{name}={os.getxattr(file, name, follow_symlinks=follow).hex()}"
            for name in names
            if not name.startswith(NOT_COPIED)
        )
    except OSError as error:
        if error.errno in _WITHOUT_ATTRIBUTES:
            return ""
        raise


def _content(path: str, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    if not stat.S_ISREG(mode):
        return ""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return _hashed(fd)
    finally:
        os.close(fd)


def _hashed(fd: int) -> str:
    digest = sha256()
    while data := os.read(fd, _CHUNK):
        digest.update(data)
    return digest.hexdigest()


def of_listing(listing: Listing, part: Part, left_out: Ignore | None = None) -> Digest:
    """Return the digest of what ``part`` selects of a listed directory."""
    files = listing.files
    if part.whole:
        return _digest(files.items(), left_out)
    chosen: list[tuple[str, File]] = []
    for pattern in part.paths:
        for top in _tops(files, pattern, wildcards=part.wildcards):
            chosen += _below(files, top)
    look = partial(_found, files)
    parents = [(f"{each}/", _behind(each, look)) for each in part.parents]
    chosen += [(path, file) for path, file in parents if file is not None]
    return _digest(chosen, left_out)


def kinds_in_listing(listing: Listing, part: Part) -> list[str]:
    """Return what each thing selected is: ``file`` or ``dir``."""
    found = (_tops(listing.files, each, wildcards=part.wildcards) for each in part.paths)
    tops = [listing.files.get(top) for each in found for top in each]
    return [_kind(top) for top in tops]


def kinds_in_layers(directories: Sequence[str], opaque: str, part: Part) -> list[str]:
    """The same of layers, topmost directory first. Blocks."""
    if not directories:
        return []
    with LayeredTree(directories, opaque) as tree:
        view = _View(tree)
        found = (view.tops(each, wildcards=part.wildcards) for each in part.paths)
        return [_kind(view.file(top)) for each in found for top in each]


def _kind(file: File | None) -> str:
    return "dir" if file is None or file.is_directory else "file"


def _divided(pattern: str, *, wildcards: bool) -> tuple[list[str], list[str]]:
    """Return the names at the beginning of a pattern, and its parts from the first on that means
    more than a name: only up to there links are followed (``files/globbing.py``)."""
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if not wildcards:
        return parts, []
    fixed = next((n for n, part in enumerate(parts) if has_wildcards(part)), len(parts))
    return [unescaped(part) for part in parts[:fixed]], parts[fixed:]


def _found(files: Mapping[str, File], path: Sequence[str]) -> File | None:
    return files.get("/".join(path))


def _behind(path: str, look: Callable[[Sequence[str]], File | None]) -> File | None:
    """Return what is at the end of a path, links followed: what a copy of it is made like."""
    end = resolved(path.split("/"), look)
    return None if end is None else look(end)


def _tops(files: Mapping[str, File], pattern: str, *, wildcards: bool) -> Iterable[str]:
    """Return the paths that a pattern names. InvalidArgumentError: it is malformed."""
    look = partial(_found, files)
    fixed, rest = _divided(pattern, wildcards=wildcards)
    base = resolved(fixed, look)
    if base is None or not rest:
        return () if base is None else ("/".join(base),)
    expression, depth = compiled("/".join(rest)), len(base) + len(rest)
    beginning = "".join(f"{name}/" for name in base)
    hits = [
        path
        for path in files
        if path.startswith(beginning)
        and path.count("/") + 1 == depth
        and expression.matches(path[len(beginning) :])
    ]
    ends = (resolved(hit.split("/"), look) for hit in hits)
    return dict.fromkeys([*hits, *("/".join(end) for end in ends if end is not None)])


def _below(files: Mapping[str, File], top: str) -> Iterator[tuple[str, File]]:
    """Yield a file and what is below it, with its path from there on, or its own name."""
    if not top:
        yield from files.items()
        return
    beginning, name = f"{top}/", top.rpartition("/")[2]
    if top in files:
        yield name if not files[top].is_directory else "", files[top]
    for path, file in files.items():
        if path.startswith(beginning):
            yield path[len(beginning) :], file


def _digest(files: Iterable[tuple[str, File]], left_out: Ignore | None) -> Digest:
    digest = sha256()
    ignoring = None if left_out is None else Ignoring(left_out)
    for path, file in files:
        if ignoring is None or not ignoring.leaves_out(path):
            row = f"{path}\0{file.mode:o}\0{file.owner}\0{file.attributes}\0{file.content}\n"
            digest.update(row.encode(errors="surrogateescape"))
    return Digest("sha256", digest.hexdigest())


def resolved(
    wanted: Sequence[str], look: Callable[[Sequence[str]], File | None]
) -> tuple[str, ...] | None:
    """Follow the links in a path, inside the tree; None if it leads nowhere."""
    waiting, hops = list(reversed(wanted)), 0
    done: list[str] = []
    while waiting:
        part = waiting.pop()
        if part in ("", "."):
            continue
        if part == "..":
            del done[-1:]
            continue
        file = look((*done, part))
        if file is None:
            return None
        if not file.is_link:
            done.append(part)
            continue
        hops += 1
        if hops > _MOST_LINKS:
            return None
        if file.content.startswith("/"):
            done.clear()
        waiting.extend(reversed(file.content.split("/")))
    return tuple(done)


def of_layers(
    directories: Sequence[str], opaque: str, part: Part, left_out: Ignore | None = None
) -> Digest:
    """Return the digest of what ``part`` selects of layers, topmost directory first. Blocks."""
    if not directories:
        return _digest((), left_out)
    with LayeredTree(directories, opaque) as tree:
        view = _View(tree)
        chosen: dict[str, File] = {}
        for pattern in part.paths or ("/",):
            for top in view.tops(pattern, wildcards=part.wildcards):
                chosen.update(view.below(top, left_out))
        for each in part.parents:
            parent = _behind(each, view.file)
            if parent is not None:
                chosen[f"{each}/"] = parent
        return _digest(sorted(chosen.items()), None)


class _View:
    """Layers as files by path; directories that were looked into are remembered."""

    def __init__(self, tree: LayeredTree) -> None:
        self._tree = tree
        self._children: dict[tuple[str, ...], dict[str, Node]] = {}

    def children(self, path: tuple[str, ...]) -> dict[str, Node]:
        if path not in self._children:
            node = self.node(path)
            inside = self._tree.children(node) if node is not None and node.is_directory else {}
            self._children[path] = {os.fsdecode(name): child for name, child in inside.items()}
        return self._children[path]

    def node(self, path: tuple[str, ...]) -> Node | None:
        if not path:
            return self._tree.root()
        return self.children(path[:-1]).get(path[-1])

    def file(self, path: Sequence[str]) -> File | None:
        node = self.node(tuple(path))
        return None if node is None else self._file(node)

    def _file(self, node: Node, *, read: bool = False) -> File:
        found, content, attributes = node.found, "", ""
        kind = stat.S_IFMT(found.st_mode)
        if kind == stat.S_IFLNK:
            with self._tree.looking(node) as fd:
                content = os.readlink("", dir_fd=fd)
        elif read and kind in (stat.S_IFREG, stat.S_IFDIR):
            with self._tree.looking(node) as fd:
                opened = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                attributes = _attributes(opened)
                content = _hashed(opened) if kind == stat.S_IFREG else ""
            finally:
                os.close(opened)
        elif kind in (stat.S_IFCHR, stat.S_IFBLK):
            content = str(found.st_rdev)
        owner = f"{found.st_uid}:{found.st_gid}"
        return File(found.st_mode, content, owner, attributes=attributes)

    def tops(self, pattern: str, *, wildcards: bool) -> Iterable[tuple[str, ...]]:
        fixed, rest = _divided(pattern, wildcards=wildcards)
        base = resolved(fixed, self.file)
        if base is None or not rest:
            return () if base is None else (base,)
        hits: list[tuple[str, ...]] = [base]
        for part in rest:
            fits = compiled(part).matches
            hits = [(*hit, name) for hit in hits for name in self.children(hit) if fits(name)]
        ends = (resolved(hit, self.file) for hit in hits)
        return dict.fromkeys([*hits, *(end for end in ends if end is not None)])

    def below(self, top: tuple[str, ...], left_out: Ignore | None) -> dict[str, File]:
        node = self.node(top)
        if node is None:
            return {}
        name = top[-1] if top and not node.is_directory else ""
        found: dict[str, File] = {name: self._file(node, read=True)}
        waiting = [(top, "")] if node.is_directory else []
        while waiting:
            path, shown = waiting.pop()
            for child, inner in self.children(path).items():
                at = f"{shown}{child}"
                out = left_out is not None and left_out.leaves_out(at)
                if not out:
                    found[at] = self._file(inner, read=True)
                # What is left out may have something in it that is not.
                within = not out or (left_out is not None and left_out.may_take_within(at))
                if inner.is_directory and within:
                    waiting.append(((*path, child), f"{at}/"))
            del self._children[path]
        return found
