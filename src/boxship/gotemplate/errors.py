"""What can go wrong with a template."""

from boxship.base.errors import InvalidArgumentError


class TemplateError(InvalidArgumentError):
    """The template is not well formed, or cannot be applied to the data."""


class ParseError(TemplateError):
    """``template: :line: reason``."""


class ExecutionError(TemplateError):
    """``template: :line:column: executing "" at <.Field>: reason``."""


class MissingFieldError(LookupError):
    """A value has no field of that name; the text is the reason in the final message."""


class FunctionError(Exception):
    """The arguments of a function do not fit; the text is the reason in the final message."""
