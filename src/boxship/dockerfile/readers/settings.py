"""What describes an image: ARG, ENV, EXPOSE, FROM, LABEL, MAINTAINER, ONBUILD, STOPSIGNAL, USER,
VOLUME, WORKDIR.
"""

import re

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.flags import Kind, read_flags
from boxship.dockerfile.instructions import (
    Arg,
    Definition,
    Env,
    Expose,
    From,
    Label,
    Maintainer,
    Onbuild,
    Pair,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from boxship.dockerfile.readers.statement import (
    Statement,
    description,
    listed,
    quoted_words,
    spaced,
)

_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_SPACES = re.compile(r"[\t\v\f\r ]+")


def read_arg(statement: Statement) -> Arg:
    """Read ``ARG``."""
    read_flags(statement.flags, {})
    definitions = []
    for word in statement.at_least_one(quoted_words(statement.rest, statement.escape)):
        name, separator, value = word.partition("=")
        if not name:
            raise DockerfileError("ARG names can not be blank")
        comment = description(statement.comments, name)
        definitions.append(Definition(name, value if separator else None, comment))
    return Arg(definitions=tuple(definitions), where=statement.where, code=statement.code)


def read_env(statement: Statement) -> Env:
    """Read ``ENV``."""
    return Env(pairs=_pairs(statement), where=statement.where, code=statement.code)


def read_label(statement: Statement) -> Label:
    """Read ``LABEL``."""
    return Label(pairs=_pairs(statement), where=statement.where, code=statement.code)


def is_legacy_pair(statement: Statement) -> bool:
    """Tell whether it is the old ``ENV name value``, one pair without ``=``."""
    words = quoted_words(statement.rest, statement.escape)
    return bool(words) and "=" not in words[0]


def _pairs(statement: Statement) -> tuple[Pair, ...]:
    read_flags(statement.flags, {})
    words = statement.at_least_one(quoted_words(statement.rest, statement.escape))
    if is_legacy_pair(statement):
        parts = _SPACES.split(statement.rest, maxsplit=1)
        if len(parts) < 2:
            raise DockerfileError(f"{statement.name} must have two arguments")
        return (Pair(parts[0], parts[1]),)
    pairs = []
    for word in words:
        name, separator, value = word.partition("=")
        if not separator:
            raise DockerfileError(
                f'syntax error - can\'t find = in "{word}". Must be of the form: name=value',
                hint="values with spaces have to be quoted",
            )
        if not name:
            raise DockerfileError(f"{statement.name} names can not be blank")
        pairs.append(Pair(name, value))
    return tuple(pairs)


def read_expose(statement: Statement) -> Expose:
    """Read ``EXPOSE``."""
    read_flags(statement.flags, {})
    ports = statement.at_least_one(spaced(statement.rest))
    return Expose(ports=tuple(ports), where=statement.where, code=statement.code)


def read_from(statement: Statement) -> From:
    """Read ``FROM``."""
    words = spaced(statement.rest)
    if len(words) != 1 and not (len(words) == 3 and words[1].lower() == "as"):
        raise DockerfileError(
            "FROM requires either one or three arguments", hint="FROM <image> [AS <name>]"
        )
    name = words[2].lower() if len(words) == 3 else ""
    if name and not _STAGE_NAME.fullmatch(name):
        raise DockerfileError(
            f'invalid name for build stage: "{words[2]}", name can\'t start with a number or '
            "contain symbols"
        )
    flags = read_flags(statement.flags, {"platform": Kind.TEXT})
    return From(
        base=words[0],
        name=name,
        platform=flags.text("platform"),
        comment=description(statement.comments, name) if name else "",
        where=statement.where,
        code=statement.code,
    )


def read_maintainer(statement: Statement) -> Maintainer:
    """Read ``MAINTAINER``."""
    read_flags(statement.flags, {})
    return Maintainer(name=statement.exactly_one(), where=statement.where, code=statement.code)


_NO_TRIGGERS = ("FROM", "MAINTAINER", "INCLUDE")


def read_onbuild(statement: Statement) -> Onbuild:
    """Read ``ONBUILD``; whether its trigger is well-formed is checked by the caller."""
    read_flags(statement.flags, {})
    word = statement.at_least_one(spaced(statement.rest))[0].upper()
    if word == "ONBUILD":
        raise DockerfileError("chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if word in _NO_TRIGGERS:
        raise DockerfileError(f"{word} isn't allowed as an ONBUILD trigger")
    bodies = [f"\n{one.content}{one.name}" for one in statement.heredocs]
    return Onbuild(
        trigger="".join([statement.rest, *bodies]), where=statement.where, code=statement.code
    )


def read_stopsignal(statement: Statement) -> StopSignal:
    """Read ``STOPSIGNAL``."""
    read_flags(statement.flags, {})
    return StopSignal(signal=statement.exactly_one(), where=statement.where, code=statement.code)


def read_user(statement: Statement) -> User:
    """Read ``USER``."""
    read_flags(statement.flags, {})
    return User(user=statement.exactly_one(), where=statement.where, code=statement.code)


def read_volume(statement: Statement) -> Volume:
    """Read ``VOLUME``."""
    read_flags(statement.flags, {})
    paths = [one.strip() for one in statement.at_least_one(listed(statement.rest))]
    if not all(paths):
        raise DockerfileError("VOLUME specified can not be an empty string")
    return Volume(paths=tuple(paths), where=statement.where, code=statement.code)


def read_workdir(statement: Statement) -> Workdir:
    """Read ``WORKDIR``."""
    read_flags(statement.flags, {})
    return Workdir(path=statement.exactly_one(), where=statement.where, code=statement.code)
