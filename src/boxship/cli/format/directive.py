"""The ``--format`` directive: ``table``, ``json``, ``table TEMPLATE`` or ``TEMPLATE``."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from boxship.cli.format.tabwriter import align

if TYPE_CHECKING:
    from boxship.gotemplate.template import Template

WHOLE = "."  # among the fields of a template: the row itself is used

_MINIMUM = 10
_PADDING = 3

_PLAIN = re.compile(r"\{\{\.([A-Za-z]\w*)\}\}")

Item = TypeVar("Item")


class Column(NamedTuple, Generic[Item]):
    """One placeholder: its header in tables, and how its value comes from an item."""

    header: str
    value: Callable[[Item], Any]


class View(NamedTuple, Generic[Item]):
    """What can be shown of a kind of item: ``{{.Name}}`` for each name in ``columns``.

    ``go_type`` is what error messages call it. ``methods`` take arguments, as ``{{.Label "x"}}``.
    """

    go_type: str
    columns: Mapping[str, Column[Item]]
    methods: Mapping[str, Callable[[Item], Callable[..., str]]]
    unlisted: frozenset[str] = frozenset()  # left out of {{json .}}
    otherwise_in_json: Mapping[str, Callable[[Item], Any]] = {}  # what {{json .}} has instead


class _Fields(Protocol):
    def field(self, name: str) -> Any: ...


class Row(Generic[Item]):
    """One item as a template sees it; a field is computed when it is asked for."""

    def __init__(self, view: View[Item], item: Item) -> None:
        self._view = view
        self._item = item

    def field(self, name: str) -> Any:
        column = self._view.columns.get(name)
        if column is not None:
            return column.value(self._item)
        method = self._view.methods.get(name)
        if method is not None:
            return method(self._item)
        from boxship.gotemplate.errors import MissingFieldError

        raise MissingFieldError(f"can't evaluate field {name} in type {self._view.go_type}")

    def as_json(self) -> Mapping[str, Any]:
        names = (name for name in self._view.columns if name not in self._view.unlisted)
        other = self._view.otherwise_in_json
        return {
            name: other[name](self._item) if name in other else self.field(name)
            for name in sorted(names)
        }


class Header(Generic[Item]):
    """The titles, for the template's first line. A label's title is its own name."""

    def __init__(self, view: View[Item]) -> None:
        self._view = view

    def field(self, name: str) -> Any:
        column = self._view.columns.get(name)
        if column is not None:
            return column.header
        if name in self._view.methods:
            return _label_title
        return "<no value>"

    def as_json(self) -> Mapping[str, Any]:
        return {name: column.header for name, column in self._view.columns.items()}


def _label_title(label: str) -> str:
    return label.rsplit(".", 1)[-1].replace("-", " ").replace("_", " ")


# In the header line a function leaves its text alone, so that it does not show "NAMES" quoted or
# cut; ``pad`` still pads.
_HEADER_FUNCTIONS = ("json", "join", "split", "title", "lower", "upper", "truncate")


class Directive:
    """A ``--format`` text, parsed."""

    def __init__(self, text: str, *, table_default: str) -> None:
        text = text.strip()
        if text == "json":
            text = "{{json .}}"
        self.is_table = text.startswith("table")
        if self.is_table:
            text = text.removeprefix("table").strip(" ") or table_default
        self._text = text.replace("\\t", "\t").replace("\\n", "\n")
        self._plain = _plain_pieces(self._text)
        self._template = None if self._plain else _parse(self._text)

    def fields(self) -> frozenset[str]:
        """The placeholders it asks for; ``WHOLE`` if it uses the row itself."""
        if self._template is not None:
            return self._template.fields()
        return frozenset(self._plain[1::2])

    def render(self, view: View[Item], items: Iterable[Item]) -> str:
        """The whole output, each line closed."""
        rows: list[_Fields] = [Row(view, item) for item in items]
        if self._plain and all(name in view.columns for name in self._plain[1::2]):
            lines = [self._fill(row) for row in [Header(view), *rows][not self.is_table :]]
        else:
            lines = self._render_template(view, rows)
        text = "".join(f"{line}\n" for line in lines)
        return align(text, minimum=_MINIMUM, padding=_PADDING) if self.is_table else text

    def _fill(self, row: "_Fields") -> str:
        """The line for one row without the template engine."""
        pieces = list(self._plain)
        for position in range(1, len(pieces), 2):
            value = row.field(pieces[position])
            pieces[position] = value if isinstance(value, str) else _printed(value)
        return "".join(pieces)

    def _render_template(self, view: View[Item], rows: "list[_Fields]") -> list[str]:
        from boxship.gotemplate.errors import TemplateError
        from boxship.gotemplate.functions import FUNCTIONS

        template = self._template or _parse(self._text)
        try:
            lines = [template.render(row) for row in rows]
            if self.is_table:
                plain = dict.fromkeys(_HEADER_FUNCTIONS, _first_argument)
                lines.insert(0, template.render(Header(view), {**FUNCTIONS, **plain}))
        except TemplateError as error:
            raise TemplateError(f"failed to execute template: {error}") from error
        return lines


def _first_argument(text: Any, *_others: Any) -> Any:
    return text


def _printed(value: Any) -> str:
    from boxship.gotemplate.values import printed

    return printed(value)


def _parse(text: str) -> "Template":
    from boxship.gotemplate.errors import TemplateError
    from boxship.gotemplate.template import Template

    try:
        return Template(text)
    except TemplateError as error:
        raise TemplateError(f"failed to parse template: {error}") from error


def _plain_pieces(text: str) -> list[str]:
    """Text and names by turns if there is nothing but ``{{.Name}}`` in the text, else nothing.

    The default tables and ``-q`` are of this kind. Filling them in here spares each ``ps`` the
    12 ms that importing the template engine takes.
    """
    pieces = _PLAIN.split(text)
    return [] if any("{{" in piece or "}}" in piece for piece in pieces) else pieces


def columns_template(names: Sequence[str]) -> str:
    """The template of a default table."""
    return "\t".join(f"{{{{.{name}}}}}" for name in names)
