"""``contextlib.suppress`` for programs whose start-up counts: its module takes 2 ms to load."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import suppress
else:

    class suppress:  # noqa: N801 - as the standard library's
        """Leave the ``with`` at the first of these errors, and go on after it."""

        __slots__ = ("_errors",)

        def __init__(self, *errors):
            self._errors = errors

        def __enter__(self):
            return None

        def __exit__(self, kind, error, trace):
            return kind is not None and issubclass(kind, self._errors)


__all__ = ["suppress"]
