"""Contexts, a row each."""

from typing import Self

from boxship.cli.format.directive import Column, View
from boxship.client.contexts import Context

DEFAULT_TABLE = (
    "{{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}"
)


class ContextView:
    """A context, and whether it is the one that holds."""

    def __init__(
        self, context: Context, *, current: bool, description: str, error: str = ""
    ) -> None:
        self._context = context
        self.current = current
        self._description = description
        self._error = error

    @classmethod
    def missing(cls, name: str) -> Self:
        """One that was chosen, and that there isn't."""
        context = Context(name, {})
        return cls(context, current=True, description="", error="context not found")

    def is_current(self) -> bool:
        return self.current

    def name(self) -> str:
        return self._context.name

    def description(self) -> str:
        return self._description

    def host(self) -> str:
        return self._context.host

    def error(self) -> str:
        return self._error


CONTEXT: View[ContextView] = View(
    go_type="*formatter.ClientContext",
    columns={
        "Name": Column("NAME", ContextView.name),
        "Current": Column("", ContextView.is_current),
        "Description": Column("DESCRIPTION", ContextView.description),
        "DockerEndpoint": Column("DOCKER ENDPOINT", ContextView.host),
        "Error": Column("ERROR", ContextView.error),
    },
    methods={},
)
