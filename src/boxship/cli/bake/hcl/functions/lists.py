"""Lists, sets and objects. A set is a list without repetitions, in its elements' order."""

from boxship.cli.bake.hcl.conversion import (
    article,
    kind_of,
    to_list,
    to_number,
    to_object,
    to_string,
)
from boxship.cli.bake.hcl.evaluation import FunctionError
from boxship.cli.bake.hcl.syntax import Value

_LONGEST = 100_000


def _same(one: Value, other: Value) -> bool:
    return kind_of(one) == kind_of(other) and one == other


def _in(value: Value, elements: tuple[Value, ...]) -> bool:
    return any(_same(value, one) for one in elements)


def _once(elements: tuple[Value, ...]) -> tuple[Value, ...]:
    kept: list[Value] = []
    for one in elements:
        if not _in(one, tuple(kept)):
            kept.append(one)
    return tuple(kept)


def _sorted_set(elements: tuple[Value, ...]) -> tuple[Value, ...]:
    unique = _once(elements)
    try:
        return tuple(sorted(unique, key=lambda one: (kind_of(one), one)))
    except TypeError:
        return unique


def length(value: Value) -> Value:
    """Return how many elements there are; of a text how many characters."""
    if isinstance(value, str | tuple | dict):
        return len(value)
    raise FunctionError(f"{article(value)} has no length")


def element(value: Value, index: Value) -> Value:
    """Return an element; behind the last one comes the first again."""
    elements = to_list(value)
    if not elements:
        raise FunctionError("the list is empty")
    return elements[int(to_number(index)) % len(elements)]


def index(value: Value, key: Value) -> Value:
    """Return the element of that key or number."""
    if not hasindex(value, key):
        raise FunctionError("there is no such element")
    if isinstance(value, dict):
        return value[to_string(key)]
    return to_list(value)[int(to_number(key))]


def hasindex(value: Value, key: Value) -> Value:
    """Tell whether there is an element of that key or number."""
    if isinstance(value, dict):
        return isinstance(key, str) and key in value
    return isinstance(key, int) and 0 <= key < len(to_list(value))


def indexof(value: Value, wanted: Value) -> Value:
    """Return the number of the first element that is ``wanted``."""
    for number, one in enumerate(to_list(value)):
        if _same(one, wanted):
            return number
    raise FunctionError("item not found")


def contains(value: Value, wanted: Value) -> Value:
    """Tell whether ``wanted`` is an element."""
    return _in(wanted, to_list(value))


def concat(*lists: Value) -> Value:
    """Return one list of all."""
    return tuple(one for elements in lists for one in to_list(elements))


def flatten(value: Value) -> Value:
    """Return the elements of all lists within, as one list."""
    result: list[Value] = []
    for one in to_list(value):
        result += to_list(flatten(one)) if isinstance(one, tuple) else [one]
    return tuple(result)


def distinct(value: Value) -> Value:
    """Return each element once."""
    return _once(to_list(value))


def compact(value: Value) -> Value:
    """Return the texts that are not empty."""
    return tuple(one for one in to_list(value) if one not in ("", None))


def coalesce(*values: Value) -> Value:
    """Return the first value that is not null."""
    for one in values:
        if one is not None:
            return one
    raise FunctionError("no non-null arguments")


def coalescelist(*lists: Value) -> Value:
    """Return the first list that is not empty."""
    for one in lists:
        if one is not None and to_list(one):
            return one
    raise FunctionError("no non-empty arguments")


def chunklist(value: Value, size: Value) -> Value:
    """Return lists of ``size`` elements."""
    step = int(to_number(size))
    elements = to_list(value)
    if step < 0:
        raise FunctionError("the size argument must be positive")
    if step == 0:
        return (elements,)
    return tuple(elements[at : at + step] for at in range(0, len(elements), step))


def slice_list(value: Value, start: Value, end: Value) -> Value:
    """Return the elements from ``start`` to before ``end``."""
    elements, first, last = to_list(value), int(to_number(start)), int(to_number(end))
    if not 0 <= first <= last <= len(elements):
        raise FunctionError("the indexes are not within the list")
    return elements[first:last]


def reverselist(value: Value) -> Value:
    """Return the elements backwards."""
    return to_list(value)[::-1]


def sort(value: Value) -> Value:
    """Return texts in their order."""
    return tuple(sorted(map(to_string, to_list(value))))


def range_list(*bounds: Value) -> Value:
    """Return numbers: to the first bound, or from the first to the second, by the third."""
    numbers = list(map(to_number, bounds))
    if not 1 <= len(numbers) <= 3:
        raise FunctionError("one to three numbers are required")
    start, end = (0, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])
    step = numbers[2] if len(numbers) == 3 else (1 if end >= start else -1)
    if step == 0 or (end - start) / step > _LONGEST:
        raise FunctionError("the list would have no end, or a very late one")
    result: list[Value] = []
    while (start < end) if step > 0 else (start > end):
        result.append(start)
        start += step
    return tuple(result)


def keys(value: Value) -> Value:
    """Return the keys, in their order."""
    return tuple(sorted(to_object(value)))


def values(value: Value) -> Value:
    """Return the values, in the order of their keys."""
    return to_list(to_object(value))


def lookup(value: Value, key: Value, *default: Value) -> Value:
    """Return the value of a key, or the default."""
    found = to_object(value)
    if to_string(key) in found:
        return found[to_string(key)]
    if not default:
        raise FunctionError(f'the key "{to_string(key)}" does not exist')
    return default[0]


def merge(*objects: Value) -> Value:
    """Return one object of all; of one key the last value."""
    result: dict[str, Value] = {}
    for one in objects:
        result |= {} if one is None else to_object(one)
    return result


def zipmap(names: Value, elements: Value) -> Value:
    """Return an object of a list of keys and one of values."""
    first, second = to_list(names), to_list(elements)
    if len(first) != len(second):
        raise FunctionError("both lists need the same length")
    return {to_string(key): value for key, value in zip(first, second, strict=True)}


def sethaselement(value: Value, wanted: Value) -> Value:
    """Tell whether ``wanted`` is an element."""
    return _in(wanted, to_list(value))


def setunion(*sets: Value) -> Value:
    """Return what is in any of the sets."""
    return _sorted_set(tuple(one for elements in sets for one in to_list(elements)))


def setintersection(first: Value, *others: Value) -> Value:
    """Return what is in all of the sets."""
    rest = tuple(map(to_list, others))
    return _sorted_set(tuple(e for e in to_list(first) if all(_in(e, one) for one in rest)))


def setsubtract(first: Value, second: Value) -> Value:
    """Return what is in the first set alone."""
    return _sorted_set(tuple(e for e in to_list(first) if not _in(e, to_list(second))))


def setsymmetricdifference(first: Value, second: Value) -> Value:
    """Return what is in one set alone."""
    left, right = to_list(setsubtract(first, second)), to_list(setsubtract(second, first))
    return _sorted_set((*left, *right))


def setproduct(*sets: Value) -> Value:
    """Return all combinations of one element of each."""
    result: list[tuple[Value, ...]] = [()]
    for elements in map(to_list, sets):
        if len(result) * len(elements) > _LONGEST:
            raise FunctionError("there are too many combinations")
        result = [(*one, element) for one in result for element in elements]
    return tuple(result)
