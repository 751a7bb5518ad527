"""Expressions: from operators, the weakest first, down to literals."""

from boxship.cli.bake.hcl.scanner import Scanner
from boxship.cli.bake.hcl.syntax import (
    Attribute,
    Binary,
    Call,
    Conditional,
    Element,
    Expression,
    For,
    Index,
    Literal,
    Name,
    ObjectOf,
    Place,
    Splat,
    TupleOf,
    Unary,
)
from boxship.cli.bake.hcl.templates import heredoc, quoted

# How strongly each holds its operands; of two that begin alike the longer one first.
_STRENGTHS = {
    "||": 1, "&&": 2, "==": 3, "!=": 3, "<=": 4, ">=": 4, "<": 4, ">": 4,
    "+": 5, "-": 5, "*": 6, "/": 6, "%": 6,
}  # fmt: skip
_CONSTANTS = {"true": True, "false": False, "null": None}


def expression(scanner: Scanner) -> Expression:
    """Read one expression."""
    scanner.deeper()
    scanner.skip()
    place = scanner.place()
    found = _binary(scanner, 0)
    if scanner.take("?"):
        then = expression(scanner)
        scanner.expect(":", "between the two results of a condition")
        found = Conditional(found, then, expression(scanner), place)
    scanner.depth -= 1
    return found


def _binary(scanner: Scanner, weakest: int) -> Expression:
    """Read operands and the operators between them that hold more strongly than ``weakest``."""
    left = _unary(scanner)
    while (operator := _operator(scanner)) is not None and _STRENGTHS[operator] > weakest:
        place = scanner.place()
        scanner.at += len(operator)
        left = Binary(operator, left, _binary(scanner, _STRENGTHS[operator]), place)
    return left


def _operator(scanner: Scanner) -> str | None:
    scanner.skip()
    return next((one for one in _STRENGTHS if scanner.sees(one)), None)


def _unary(scanner: Scanner) -> Expression:
    scanner.skip()
    place = scanner.place()
    for operator in ("-", "!"):
        if scanner.take(operator):
            scanner.deeper()
            operand = _unary(scanner)
            scanner.depth -= 1
            return Unary(operator, operand, place)
    return _steps(scanner, _term(scanner))


def _steps(scanner: Scanner, found: Expression) -> Expression:
    """Read ``.name``, ``[index]``, ``.*`` and ``[*]`` behind a term."""
    while True:
        place = scanner.place()
        if scanner.sees("...") or not (scanner.sees(".") or scanner.sees("[")):
            return found
        if scanner.take("."):
            if scanner.take("*"):
                return _splat(scanner, found, place, full=False)
            found = _attribute(scanner, found, place)
        else:
            scanner.at += 1
            if scanner.take("*"):
                scanner.expect("]", "behind *")
                return _splat(scanner, found, place, full=True)
            found = _index(scanner, found, place)


def _splat(scanner: Scanner, of: Expression, place: Place, *, full: bool) -> Expression:
    each: Expression = Element(place)
    if full:
        return Splat(of, _steps(scanner, each), place)
    # ``a.*.b[0]`` takes the first of all, as in the language's first version: only names follow.
    while scanner.take("."):
        each = _attribute(scanner, each, place)
    return _steps(scanner, Splat(of, each, place))


def _attribute(scanner: Scanner, of: Expression, place: Place) -> Expression:
    name = scanner.identifier()
    if name:
        return Attribute(of, name, place)
    number = scanner.number()
    if not isinstance(number, int):
        scanner.fail("expected the name of an attribute behind a dot")
    return Index(of, Literal(number, place), place)


def _index(scanner: Scanner, of: Expression, place: Place) -> Expression:
    scanner.within += 1
    key = expression(scanner)
    scanner.within -= 1
    _closed(scanner, "]", "to end an index")
    return Index(of, key, place)


def _closed(scanner: Scanner, bracket: str, what: str) -> None:
    """Take a closing bracket, before which ends of lines are space."""
    scanner.skip_lines()
    scanner.expect(bracket, what)


def _term(scanner: Scanner) -> Expression:
    scanner.skip()
    place = scanner.place()
    if scanner.sees('"'):
        return quoted(scanner, expression)
    if scanner.sees("<<") and (found := heredoc(scanner, expression)) is not None:
        return found
    if scanner.take("("):
        scanner.within += 1
        inner = expression(scanner)
        scanner.within -= 1
        _closed(scanner, ")", "to end what began with (")
        return inner
    if scanner.take("["):
        return _tuple(scanner, place)
    if scanner.take("{"):
        return _object(scanner, place)
    number = scanner.number()
    if number is not None:
        return Literal(number, place)
    return _named(scanner, place)


def _named(scanner: Scanner, place: Place) -> Expression:
    name = scanner.identifier()
    if not name:
        scanner.fail("expected an expression")
    if scanner.text.startswith("(", scanner.at):
        scanner.at += 1
        return _call(scanner, name, place)
    if name in _CONSTANTS:
        return Literal(_CONSTANTS[name], place)
    return Name(name, place)


def _call(scanner: Scanner, name: str, place: Place) -> Expression:
    arguments: list[Expression] = []
    spread = False
    scanner.within += 1
    while not spread and not scanner.sees(")"):
        arguments.append(expression(scanner))
        spread = scanner.take("...")
        if not scanner.take(","):
            break
    scanner.within -= 1
    _closed(scanner, ")", f"to end the arguments of {name}")
    return Call(name, tuple(arguments), spread, place)


def _tuple(scanner: Scanner, place: Place) -> Expression:
    scanner.within += 1
    try:
        if scanner.keyword("for"):
            return _for(scanner, place, "]")
        items: list[Expression] = []
        while not scanner.sees("]"):
            items.append(expression(scanner))
            if not scanner.take(","):
                break
        _closed(scanner, "]", "to end a list, or a comma between its elements")
        return TupleOf(tuple(items), place)
    finally:
        scanner.within -= 1


def _object(scanner: Scanner, place: Place) -> Expression:
    # Ends of lines separate the items, so what is around counts for nothing in here.
    around, scanner.within = scanner.within, 0
    try:
        scanner.skip_lines()
        if scanner.keyword("for"):
            scanner.within = 1
            return _for(scanner, place, "}")
        items: list[tuple[Expression, Expression]] = []
        while not scanner.sees("}"):
            items.append(_item(scanner))
            separated = scanner.take(",") or scanner.sees("\n")
            scanner.skip_lines()
            if not separated:
                break
        _closed(scanner, "}", "to end an object, or a comma or a new line between its items")
        return ObjectOf(tuple(items), place)
    finally:
        scanner.within = around


def _item(scanner: Scanner) -> tuple[Expression, Expression]:
    key = expression(scanner)
    if isinstance(key, Name):
        key = Literal(key.name, key.place)
    elif isinstance(key, Literal) and key.value in (True, False, None):
        key = Literal(str(key.value).lower().replace("none", "null"), key.place)
    if not (scanner.take("=") or scanner.take(":")):
        scanner.fail("expected = between a key and its value")
    return key, expression(scanner)


def _for(scanner: Scanner, place: Place, bracket: str) -> Expression:
    key_name, value_name = "", scanner.identifier()
    if scanner.take(","):
        key_name, value_name = value_name, scanner.identifier()
    if not value_name or not scanner.keyword("in"):
        scanner.fail("expected for name in collection")
    of = expression(scanner)
    scanner.expect(":", "behind the collection of a for")
    key, value = None, expression(scanner)
    if bracket == "}":
        scanner.expect("=>", "between key and value of a for")
        key, value = value, expression(scanner)
    group = scanner.take("...")
    condition = expression(scanner) if scanner.keyword("if") else None
    _closed(scanner, bracket, "to end a for")
    return For(key_name, value_name, of, key, value, condition, group, place)
