"""Texts: parts, case, patterns, paths, formats."""

import os
import posixpath
import re
import unicodedata
from urllib.parse import quote_plus

from boxship.cli.bake.hcl.conversion import to_list, to_number, to_string
from boxship.cli.bake.hcl.evaluation import FunctionError
from boxship.cli.bake.hcl.syntax import Value

_NOT_OF_A_TARGET = re.compile("[^a-zA-Z0-9_-]+")


def upper(text: Value) -> Value:
    """Return the text in upper case."""
    return to_string(text).upper()


def lower(text: Value) -> Value:
    """Return the text in lower case."""
    return to_string(text).lower()


def title(text: Value) -> Value:
    """Return the text with each word's first letter in upper case."""
    return re.sub(r"\b\w", lambda one: one[0].upper(), to_string(text))


def reverse(value: Value) -> Value:
    """Return the text backwards."""
    return to_string(value)[::-1]


def strlen(text: Value) -> Value:
    """Return how many characters the text has."""
    return len(unicodedata.normalize("NFC", to_string(text)))


def substr(text: Value, offset: Value, length: Value) -> Value:
    """Return ``length`` characters from ``offset``; -1 is all; before the end with a minus."""
    whole, start, size = to_string(text), int(to_number(offset)), int(to_number(length))
    start = max(len(whole) + start, 0) if start < 0 else start
    return whole[start:] if size < 0 else whole[start : start + size]


def chomp(text: Value) -> Value:
    """Return the text without the ends of lines at its end."""
    return to_string(text).rstrip("\r\n")


def indent(spaces: Value, text: Value) -> Value:
    """Put spaces before each line but the first."""
    return to_string(text).replace("\n", "\n" + " " * min(int(to_number(spaces)), 1000))


def trim(text: Value, characters: Value) -> Value:
    """Take characters off both ends."""
    return to_string(text).strip(to_string(characters))


def trimspace(text: Value) -> Value:
    """Take spaces off both ends."""
    return to_string(text).strip()


def trimprefix(text: Value, prefix: Value) -> Value:
    """Take a beginning off."""
    return to_string(text).removeprefix(to_string(prefix))


def trimsuffix(text: Value, suffix: Value) -> Value:
    """Take an end off."""
    return to_string(text).removesuffix(to_string(suffix))


def replace(text: Value, part: Value, other: Value) -> Value:
    """Return the text with every ``part`` replaced."""
    return to_string(text).replace(to_string(part), to_string(other))


def split(separator: Value, text: Value) -> Value:
    """Return the parts between separators."""
    if not to_string(separator):
        return tuple(to_string(text))
    return tuple(to_string(text).split(to_string(separator)))


def join(separator: Value, *lists: Value) -> Value:
    """Return the elements of all lists as one text."""
    return to_string(separator).join(to_string(e) for one in lists for e in to_list(one))


def sanitize(name: Value) -> Value:
    """Return the text as the name of a target may be: letters, digits, ``_`` and ``-``."""
    return _NOT_OF_A_TARGET.sub("_", to_string(name))


def urlencode(text: Value) -> Value:
    """Return the text as in a query of a URL."""
    return quote_plus(to_string(text))


def basename(path: Value) -> Value:
    """Return the last part of a path."""
    return posixpath.basename(to_string(path).rstrip("/") or "/") or "/"


def dirname(path: Value) -> Value:
    """Return a path without its last part."""
    return posixpath.normpath(posixpath.dirname(to_string(path)) or ".")


def homedir() -> Value:
    """Return the home directory of who bakes."""
    return os.path.expanduser("~")


def _compiled(pattern: Value) -> re.Pattern[str]:
    try:
        return re.compile(to_string(pattern))
    except re.error as error:
        raise FunctionError(f"invalid regexp pattern: {error}") from None


def _captured(match: re.Match[str]) -> Value:
    names = match.re.groupindex
    if names:
        return {name: match[name] for name in names}
    return tuple(match.groups()) if match.re.groups else match[0]


def regex(pattern: Value, text: Value) -> Value:
    """Return the first match: its text, or its groups."""
    match = _compiled(pattern).search(to_string(text))
    if match is None:
        raise FunctionError("pattern did not match any part of the given string")
    return _captured(match)


def regexall(pattern: Value, text: Value) -> Value:
    """Return all matches."""
    return tuple(map(_captured, _compiled(pattern).finditer(to_string(text))))


def regex_replace(text: Value, pattern: Value, other: Value) -> Value:
    """Return the text with all matches replaced; ``$1``, ``${name}`` are groups."""
    found = _compiled(pattern)

    def expanded(match: re.Match[str]) -> str:
        def group(reference: re.Match[str]) -> str:
            name = reference[1] or reference[2]
            key: str | int = int(name) if name.isdecimal() else name
            try:
                return match[key] or ""
            except IndexError:
                return ""

        return re.sub(r"\$(?:\{(\w+)\}|(\w+))", group, to_string(other))

    return found.sub(expanded, to_string(text))


_VERB = re.compile(r"%(?:%|([#0+ -]*)(\d*)(?:\.(\d+))?(?:\[(\d+)\])?([a-zA-Z]))")


def format_text(form: Value, *arguments: Value) -> Value:
    """Return ``form`` with Go's verbs replaced: %s %q %d %f %e %g %t %v %x %X %o %b %%."""
    used = -1

    def verb(match: re.Match[str]) -> str:
        nonlocal used
        if match[0] == "%%":
            return "%"
        used = int(match[4]) - 1 if match[4] else used + 1
        if not 0 <= used < len(arguments):
            raise FunctionError(f"not enough arguments for {match[0]}")
        width = f"{match[1].replace('#', '')}{match[2]}"
        return _formatted(arguments[used], match[5], width, match[3])

    text = _VERB.sub(verb, to_string(form))
    if arguments and used < 0:
        raise FunctionError("too many arguments; no verbs in format string")
    return text


def _formatted(value: Value, verb: str, width: str, precision: str | None) -> str:
    from boxship.cli.bake.hcl.functions.encoding import jsonencode

    if verb in "dxXob":
        number = to_number(value)
        return format_old(width, "", verb, int(number)) if verb != "b" else f"{int(number):b}"
    if verb in "feEgG":
        return format_old(width, "." + (precision or "6"), verb, float(to_number(value)))
    if verb == "q":
        return format_old(width, "", "s", str(jsonencode(to_string(value))))
    if verb == "v" and (isinstance(value, tuple | dict) or value is None):
        return str(jsonencode(value))
    if verb in "svt":
        limit = f".{precision}" if precision else ""
        return format_old(width.lstrip("0"), limit, "s", to_string(value))
    raise FunctionError(f"unsupported format verb %{verb}")


def format_old(width: str, precision: str, verb: str, value: object) -> str:
    """Format one value as C's printf does."""
    if len(width) > 6 or len(precision) > 6:
        raise FunctionError("too wide")
    return f"%{width}{precision}{verb}" % value
