"""What the inspect verbs share: look up every name, print JSON or a template."""

from collections.abc import Callable, Iterable
from typing import Any

from boxship.base.errors import BoxshipError
from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.format.rawjson import as_go, dump, dump_compact
from boxship.cli.session import Session
from boxship.gotemplate.errors import TemplateError
from boxship.gotemplate.template import Template

FORMAT_FLAG = Flag("format", "f", kinds.STRING, "How to print: json or a Go template")


def inspect_all(
    session: Session,
    names: Iterable[str],
    template: str,
    find: Callable[[str], Any],
    typed: Callable[[Any], Any] = as_go,
) -> int:
    """Print what is found up to the first name that is not; then say what was wrong.

    ``typed`` makes of a document what templates see.
    """
    found, problems = _find(names, find)
    if template == "json":
        session.say(dump_compact(found))
    elif template:
        _print_template(session, template, map(typed, found))
    else:
        session.say(dump(found) if found else "[]")
    for problem in problems:
        session.warn(problem)
    return FAILURE if problems else 0


def _find(names: Iterable[str], find: Callable[[str], Any]) -> tuple[list[Any], list[str]]:
    found: list[Any] = []
    problems: list[str] = []
    for name in names:
        try:
            found.append(find(name))
        except BoxshipError as error:
            problems.append(str(error))
    return found, problems


def _print_template(session: Session, text: str, found: Iterable[Any]) -> None:
    try:
        template = Template(text.replace("\\t", "\t").replace("\\n", "\n"), strict=True)
    except TemplateError as error:
        raise ExitError(64, f"template parsing error: {error}") from error
    for document in found:
        try:
            session.say(template.render(document))
        except TemplateError as error:
            session.say("")
            raise ExitError(FAILURE, f"template parsing error: {error}") from error
