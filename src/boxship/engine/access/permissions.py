"""What can be allowed: one table of nouns and verbs. Pure.

A permission is ``noun:verb``. People write several at once::

    containers:read,logs              two verbs of one noun
    containers:* images:read          all verbs of a noun; several nouns
    *                                 everything in this table, which is much less than root

What is not in the table can't be allowed: builds, imports, commits, pushes, plugins, swarms, the
daemon's own settings and scopes themselves, since each of them leads to everything else.
"""

from collections.abc import Iterable, Mapping

from boxship.base.errors import InvalidArgumentError

EVERY = "*"

VERBS: Mapping[str, Mapping[str, str]] = {
    "containers": {
        "read": "list, inspect, wait, processes, statistics",
        "logs": "read what they have written",
        "create": "make containers that get no rights on the host",
        "publish": "let them take ports of the host",
        "start": "start",
        "stop": "stop, kill, pause, unpause",
        "restart": "restart",
        "update": "rename, change limits and restart policy",
        "remove": "remove",
        "attach": "attach to their terminals, resize these",
        "exec": "run further processes in them",
        "files": "copy files in and out, list changes, export",
    },
    "images": {
        "read": "list, inspect, history",
        "use": "make containers of any image, also of those without the labels",
        "pull": "pull from registries",
        "remove": "remove",
    },
    "networks": {
        "read": "list, inspect",
        "create": "create",
        "connect": "connect and disconnect containers",
        "remove": "remove",
    },
    "volumes": {
        "read": "list, inspect",
        "create": "create",
        "remove": "remove",
    },
    "events": {"read": "follow what happens to containers"},
    "system": {"read": "what `info` tells"},
}

ALL = frozenset(f"{noun}:{verb}" for noun, verbs in VERBS.items() for verb in verbs)


def parse_permissions(texts: Iterable[str]) -> frozenset[str]:
    """Return the permissions that texts mean, without wildcards.

    InvalidArgumentError names the word that isn't known, and those that are.
    """
    found: set[str] = set()
    for text in texts:
        for word in text.split():
            found |= ALL if word == EVERY else _of_noun(word)
    if not found:
        raise InvalidArgumentError("nothing is allowed: name what is, as containers:read,logs")
    return frozenset(found)


def _of_noun(word: str) -> set[str]:
    noun, colon, listed = word.partition(":")
    verbs = VERBS.get(noun)
    if verbs is None:
        raise InvalidArgumentError(
            f"invalid permission {word}: {noun or 'nothing'} is none of {', '.join(VERBS)}"
        )
    if not colon or not listed:
        raise InvalidArgumentError(
            f"invalid permission {word}: say what of {noun} is allowed: {', '.join(verbs)} or *"
        )
    wanted = set(verbs) if listed == EVERY else set(listed.split(","))
    for verb in sorted(wanted - set(verbs)):
        raise InvalidArgumentError(
            f"invalid permission {noun}:{verb}: of {noun} there are {', '.join(verbs)} and *"
        )
    return {f"{noun}:{verb}" for verb in wanted}


def shown(permissions: Iterable[str]) -> tuple[str, ...]:
    """Write permissions as people do: a word for each noun, in the table's order."""
    given = set(permissions)
    words = []
    for noun, verbs in VERBS.items():
        has = [verb for verb in verbs if f"{noun}:{verb}" in given]
        if has:
            words.append(f"{noun}:{EVERY if len(has) == len(verbs) else ','.join(has)}")
    return tuple(words)
