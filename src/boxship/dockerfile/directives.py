"""Parser directives: ``# syntax=``, ``# escape=`` and ``# check=`` in a file's first lines."""

import re
from dataclasses import replace

from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.instructions import Directives
from boxship.dockerfile.places import Range

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*")
_TRUE = frozenset(("1", "t", "true"))
_FALSE = frozenset(("0", "f", "false"))


def read_directives(text: str, file: str = "") -> Directives:
    """Read the directives of ``text``, which end with the first line that is none."""
    found = Directives()
    seen: set[str] = set()
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        if number == 1 and line.startswith("#!"):
            continue
        match = _DIRECTIVE.fullmatch(line.strip())
        name = match[1].lower() if match else ""
        if match is None or name not in _READERS:
            break
        where = Range(number, number, file)
        if name in seen:
            raise DockerfileError(f"only one {name} parser directive can be used", where)
        seen.add(name)
        try:
            found = _READERS[name](found, match[2])
        except ValueError as error:
            raise DockerfileError(str(error), where) from None
    return found


def read_check(value: str, found: Directives | None = None) -> Directives:
    """Read the value of ``# check=``, such as ``skip=RuleA,RuleB;error=true``.

    Raise :class:`ValueError`. The build argument ``BUILDKIT_DOCKERFILE_CHECK`` has the same form.
    """
    result = found or Directives()
    for part in filter(None, (one.strip() for one in value.split(";"))):
        key, separator, wanted = part.partition("=")
        key = key.strip().lower()
        if not separator or key not in ("skip", "error", "experimental"):
            raise ValueError(
                f"invalid check option '{part}': it is skip=<rules>, error=<bool> or "
                "experimental=<rules>"
            )
        result = _check_option(result, key, wanted.strip())
    return result


def _check_option(found: Directives, key: str, wanted: str) -> Directives:
    if key == "error":
        if wanted.lower() not in _TRUE | _FALSE:
            raise ValueError(f"invalid check option: error is true or false, not '{wanted}'")
        return replace(found, warnings_are_errors=wanted.lower() in _TRUE)
    rules = tuple(filter(None, (one.strip().lower() for one in wanted.split(","))))
    everything = rules == ("all",)
    if key == "skip":
        return replace(found, skip=() if everything else rules, skip_all=everything)
    return replace(found, experimental=() if everything else rules, experimental_all=everything)


def _escape(found: Directives, value: str) -> Directives:
    if value not in ("\\", "`"):
        raise ValueError(f"invalid escape token '{value}' does not match ` or \\")
    return replace(found, escape=value)


def _syntax(found: Directives, value: str) -> Directives:
    return replace(found, syntax=value)


def _check(found: Directives, value: str) -> Directives:
    return read_check(value, found)


_READERS = {"escape": _escape, "syntax": _syntax, "check": _check}
