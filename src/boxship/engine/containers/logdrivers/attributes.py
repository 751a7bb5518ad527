"""What log entries carry besides the output: labels and variables that were chosen."""

from collections.abc import Callable

from boxship.base.regex import matching
from boxship.engine.containers.logdrivers.subject import Subject


def attributes(subject: Subject, key: Callable[[str], str] = str) -> dict[str, str]:
    """Return the labels and the variables that the options name; ``key`` rewrites their names.

    A variable goes before a label of the same name. InvalidArgumentError: a pattern that takes
    too long.
    """
    options = subject.options
    variables = {
        name: value for name, sign, value in (v.partition("=") for v in subject.env) if sign
    }
    found: dict[str, str] = {}
    for source, wanted, pattern in (
        (subject.labels, options.get("labels", ""), options.get("labels-regex", "")),
        (variables, options.get("env", ""), options.get("env-regex", "")),
    ):
        chosen = set(wanted.split(",")) & source.keys()
        if pattern:
            chosen |= matching(pattern, source)
        found |= {key(name): source[name] for name in sorted(chosen)}
    return found
