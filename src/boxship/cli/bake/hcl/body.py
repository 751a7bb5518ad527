"""Files and blocks: attributes and further blocks. Also the JSON form of the same."""

import json
from typing import Any

from boxship.cli.bake.hcl.expressions import expression
from boxship.cli.bake.hcl.scanner import Scanner
from boxship.cli.bake.hcl.syntax import (
    Block,
    Body,
    Expression,
    HclError,
    Literal,
    ObjectOf,
    Place,
    Template,
    TupleOf,
)
from boxship.cli.bake.hcl.templates import quoted, whole_template


def parse(text: str, file: str) -> Body:
    """Read a file in native syntax; raise :class:`HclError`."""
    scanner = Scanner(text.removeprefix("\ufeff"), file)
    return _body(scanner, ending="")


def _body(scanner: Scanner, ending: str) -> Body:
    place = scanner.place()
    attributes: dict[str, Expression] = {}
    blocks: list[Block] = []
    scanner.deeper()
    while True:
        scanner.skip_lines()
        if scanner.ended and not ending:
            break
        if ending and scanner.take(ending):
            break
        _entry(scanner, attributes, blocks)
        if not (scanner.ended or scanner.sees("\n") or (ending and scanner.sees(ending))):
            scanner.fail("expected a new line behind the definition")
    scanner.depth -= 1
    return Body(attributes, tuple(blocks), place)


def _entry(scanner: Scanner, attributes: dict[str, Expression], blocks: list[Block]) -> None:
    place = scanner.place()
    name = scanner.identifier()
    if not name:
        scanner.fail("expected the name of an attribute or of a block")
    if not scanner.sees("==") and scanner.take("="):
        if name in attributes:
            raise HclError(f'the attribute "{name}" is defined already', place)
        attributes[name] = expression(scanner)
        return
    labels = []
    while not scanner.sees("{"):
        labels.append(_label(scanner))
    scanner.at += 1
    blocks.append(Block(name, tuple(labels), _body(scanner, ending="}"), place))


def _label(scanner: Scanner) -> str:
    if scanner.sees('"'):
        place = scanner.place()
        written = quoted(scanner, expression)
        texts = [one.value for one in written.parts if isinstance(one, Literal)]
        if len(texts) != len(written.parts):
            raise HclError("the name of a block can't be evaluated", place)
        return "".join(map(str, texts))
    label = scanner.identifier()
    if not label:
        scanner.fail("expected = of an attribute or { of a block")
    return label


def parse_json(text: str, file: str, depths: dict[str, int]) -> Body:
    """Read a file in JSON; ``depths`` says of each kind of block how many labels it has."""
    place = Place(file, 1, 1)
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise HclError(error.msg, Place(file, error.lineno, error.colno)) from None
    except (ValueError, RecursionError) as error:
        raise HclError(str(error), place) from None
    if not isinstance(document, dict):
        raise HclError("expected an object", place)
    attributes = {
        name: _from_json(value, place) for name, value in document.items() if name not in depths
    }
    blocks: list[Block] = []
    for kind, depth in depths.items():
        if kind in document:
            blocks += _json_blocks(kind, document[kind], depth, (), place)
    return Body(attributes, tuple(blocks), place)


def _json_blocks(
    kind: str, value: Any, depth: int, labels: tuple[str, ...], place: Place
) -> list[Block]:
    if isinstance(value, list):
        return [b for one in value for b in _json_blocks(kind, one, depth, labels, place)]
    if not isinstance(value, dict):
        raise HclError(f"{'.'.join((kind, *labels))} has to be an object", place)
    if len(labels) < depth:
        return [
            block
            for name, one in value.items()
            for block in _json_blocks(kind, one, depth, (*labels, name), place)
        ]
    attributes = {name: _from_json(one, place) for name, one in value.items()}
    return [Block(kind, labels, Body(attributes, (), place), place)]


def _from_json(value: Any, place: Place) -> Expression:
    if isinstance(value, str):
        return whole_template(Scanner(value, place.file), expression)
    if isinstance(value, list):
        return TupleOf(tuple(_from_json(one, place) for one in value), place)
    if isinstance(value, dict):
        items = ((Template((Literal(k, place),), place), v) for k, v in value.items())
        return ObjectOf(tuple((key, _from_json(one, place)) for key, one in items), place)
    return Literal(value, place)
