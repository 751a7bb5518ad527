"""The ``--format`` directive: ``table``, ``json``, ``table TEMPLATE`` or ``TEMPLATE``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from boxship.cli.format.tabwriter import align
from boxship.cli.gotemplate.errors import MissingFieldError, TemplateError
from boxship.cli.gotemplate.template import WHOLE, Template

__all__ = ["WHOLE", "Column", "Directive", "Row", "View", "columns_template"]

_MINIMUM = 10
_PADDING = 3

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Column(Generic[Item]):
    """One placeholder: its header in tables, and how its value comes from an item."""

    header: str
    value: Callable[[Item], Any]


@dataclass(frozen=True, slots=True)
class View(Generic[Item]):
    """What can be shown of a kind of item: ``{{.Name}}`` for each name in ``columns``.

    ``go_type`` is what error messages call it. ``methods`` take arguments, as ``{{.Label "x"}}``.
    """

    go_type: str
    columns: Mapping[str, Column[Item]]
    methods: Mapping[str, Callable[[Item], Callable[..., str]]]
    unlisted: frozenset[str] = frozenset()  # left out of {{json .}}


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
        raise MissingFieldError(f"can't evaluate field {name} in type {self._view.go_type}")

    def as_json(self) -> Mapping[str, Any]:
        names = (name for name in self._view.columns if name not in self._view.unlisted)
        return {name: self.field(name) for name in sorted(names)}


class _Header(Generic[Item]):
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
        self.is_table = text == "table" or text.startswith(
            ("table ", "table\t", "table{", "table\\")
        )
        if self.is_table:
            text = text.removeprefix("table").strip(" ") or table_default
        text = text.replace("\\t", "\t").replace("\\n", "\n")
        try:
            self._template = Template(text)
        except TemplateError as error:
            raise TemplateError(f"failed to parse template: {error}") from error

    def fields(self) -> frozenset[str]:
        """The placeholders it asks for."""
        return self._template.fields()

    def render(self, view: View[Item], items: Iterable[Item]) -> str:
        """The whole output, each line closed."""
        try:
            lines = [self._template.render(Row(view, item)) for item in items]
            if not self.is_table:
                return "".join(f"{line}\n" for line in lines)
            lines.insert(0, self._header(view))
        except TemplateError as error:
            raise TemplateError(f"failed to execute template: {error}") from error
        text = "".join(f"{line}\n" for line in lines)
        return align(text, minimum=_MINIMUM, padding=_PADDING)

    def _header(self, view: View[Item]) -> str:
        from boxship.cli.gotemplate.functions import FUNCTIONS

        plain = {name: lambda text, *_: text for name in _HEADER_FUNCTIONS}
        return self._template.render(_Header(view), {**FUNCTIONS, **plain})


def columns_template(names: Sequence[str]) -> str:
    """The template of a default table."""
    return "\t".join(f"{{{{.{name}}}}}" for name in names)
