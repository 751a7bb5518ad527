"""Changing ``config.json``, of which most is other programs'."""

import json
import os
from collections.abc import Callable
from typing import Any

from boxship.base.errors import InvalidArgumentError
from boxship.base.files import write_atomic

Document = dict[str, Any]


def read(path: str) -> Document:
    """Return the document; one that does not exist is empty. InvalidArgumentError: no JSON."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    return parsed(text, path) if text.strip() else {}


def parsed(text: str, place: str) -> Document:
    """Read a document. Errors don't show any of it: it may hold secrets."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InvalidArgumentError(f"{place} is not valid JSON") from error
    if not isinstance(document, dict):
        raise InvalidArgumentError(f"{place} has to be a JSON object")
    return document


def write(path: str, document: Document) -> None:
    """Write the document whole. A link stays a link: people keep the file in a repository."""
    path = os.path.realpath(path)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    text = json.dumps(document, indent="\t", ensure_ascii=False)
    write_atomic(path, text.encode(), mode=0o600)


def change(path: str, make: Callable[[Document], None]) -> None:
    """Let ``make`` change the document."""
    document = read(path)
    make(document)
    write(path, document)
