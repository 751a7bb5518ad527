"""Numbers, comparisons and logic."""

import math

from boxship.cli.bake.hcl.conversion import to_bool, to_number, to_string
from boxship.cli.bake.hcl.evaluation import FunctionError
from boxship.cli.bake.hcl.scanner import whole
from boxship.cli.bake.hcl.syntax import Value


def absolute(number: Value) -> Value:
    """Return the number without its sign."""
    return abs(to_number(number))


def add(left: Value, right: Value) -> Value:
    """Return the sum."""
    return to_number(left) + to_number(right)


def subtract(left: Value, right: Value) -> Value:
    """Return the difference."""
    return to_number(left) - to_number(right)


def multiply(left: Value, right: Value) -> Value:
    """Return the product."""
    return to_number(left) * to_number(right)


def divide(left: Value, right: Value) -> Value:
    """Return the quotient."""
    if to_number(right) == 0:
        raise FunctionError("division by zero")
    return whole(to_number(left) / to_number(right))


def modulo(left: Value, right: Value) -> Value:
    """Return the remainder, with the sign of ``left``."""
    if to_number(right) == 0:
        raise FunctionError("division by zero")
    return whole(math.fmod(to_number(left), to_number(right)))


def negate(number: Value) -> Value:
    """Return the number with the other sign."""
    return -to_number(number)


def ceil(number: Value) -> Value:
    """Return the next whole number above."""
    return math.ceil(to_number(number))


def floor(number: Value) -> Value:
    """Return the next whole number below."""
    return math.floor(to_number(number))


def integer(number: Value) -> Value:
    """Return the whole part."""
    return math.trunc(to_number(number))


def signum(number: Value) -> Value:
    """Return -1, 0 or 1."""
    value = to_number(number)
    return (value > 0) - (value < 0)


def logarithm(number: Value, base: Value) -> Value:
    """Return the logarithm to ``base``."""
    try:
        return whole(math.log(to_number(number), to_number(base)))
    except (ValueError, ZeroDivisionError):
        raise FunctionError("there is no such logarithm") from None


def power(number: Value, exponent: Value) -> Value:
    """Return the number to the power of ``exponent``."""
    try:
        return whole(math.pow(to_number(number), to_number(exponent)))
    except (ValueError, OverflowError):
        raise FunctionError("there is no such power") from None


def parseint(text: Value, base: Value) -> Value:
    """Return the number that ``text`` is to a base from 2 to 36."""
    try:
        return int(to_string(text), int(to_number(base)))
    except ValueError:
        raise FunctionError(f'"{to_string(text)}" is no number to this base') from None


def maximum(*numbers: Value) -> Value:
    """Return the greatest."""
    if not numbers:
        raise FunctionError("a number is required")
    return max(map(to_number, numbers))


def minimum(*numbers: Value) -> Value:
    """Return the least."""
    if not numbers:
        raise FunctionError("a number is required")
    return min(map(to_number, numbers))


def equal(left: Value, right: Value) -> Value:
    """Tell whether both are the same."""
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def notequal(left: Value, right: Value) -> Value:
    """Tell whether they differ."""
    return not equal(left, right)


def greaterthan(left: Value, right: Value) -> Value:
    """Tell whether ``left`` is greater."""
    return to_number(left) > to_number(right)


def greaterthanorequalto(left: Value, right: Value) -> Value:
    """Tell whether ``left`` is not less."""
    return to_number(left) >= to_number(right)


def lessthan(left: Value, right: Value) -> Value:
    """Tell whether ``left`` is less."""
    return to_number(left) < to_number(right)


def lessthanorequalto(left: Value, right: Value) -> Value:
    """Tell whether ``left`` is not greater."""
    return to_number(left) <= to_number(right)


def both(left: Value, right: Value) -> Value:
    """Tell whether both are true."""
    return to_bool(left) and to_bool(right)


def either(left: Value, right: Value) -> Value:
    """Tell whether one is true."""
    return to_bool(left) or to_bool(right)


def negation(value: Value) -> Value:
    """Tell whether it is false."""
    return not to_bool(value)
