"""The answer to ``__complete``: a value and its explanation in each line, then a directive.

::

    web	nginx:1.27
    worker	app:latest
    :4

The directive is a sum: 1 an error, 2 no space behind the value, 4 no names of files, 32 in this
order. Docker's own scripts, made by cobra, read the same.
"""

from collections.abc import Iterable

from boxship.cli.completing.wishes import Wish, Word

NO_SPACE, NO_FILES = 2, 4


def answer(wish: Wish, names: Iterable[Word], *, explained: bool) -> str:
    """Return the lines for a wish; ``names`` are those of its sources."""
    fitting = dict.fromkeys(
        word for word in (*wish.words, *names) if word.value.startswith(wish.typed)
    )
    lines = []
    for word in fitting:
        about = f"\t{word.about.splitlines()[0]}" if explained and word.about else ""
        lines.append(f"{wish.prefix}{word.value}{about}")
    directive = (NO_SPACE if wish.open_ended else 0) + (0 if wish.files else NO_FILES)
    return "\n".join([*lines, f":{directive}"]) + "\n"
