"""Checks of what is copied."""

from collections.abc import Iterator
from posixpath import normpath

from boxship.dockerfile.ignore import Ignore
from boxship.dockerfile.instructions import Add, Copy, Dockerfile, Files, Finding

_ELSEWHERE = ("http://", "https://", "git@", "git://", "ssh://")
_UNSURE = frozenset("$*?[")


def ignored_files(read: Dockerfile, ignored: Ignore | None) -> Iterator[Finding]:
    """Find sources that ``.dockerignore`` leaves out."""
    if ignored is None:
        return
    for stage in read.stages:
        for one in stage.instructions:
            for source in _from_context(one) if isinstance(one, Add | Copy) else ():
                if ignored.leaves_out(source):
                    message = f"'{source}' is left out by .dockerignore"
                    yield Finding("CopyIgnoredFile", message, one.where)


def _from_context(one: Files) -> Iterator[str]:
    if isinstance(one, Copy) and one.origin is not None:
        return
    for source in one.sources:
        path = normpath(source).lstrip("/")
        if path not in ("", ".") and not source.startswith(_ELSEWHERE) and not _UNSURE & {*path}:
            yield path
