"""Which containers a list shows: Docker's filters, as a table from name to test.

Values of one filter are alternatives; different filters must all hold. ``label`` and ``annotation``
are the exceptions: each of their values must hold.
"""

import re
from collections.abc import Callable, Sequence

from boxship.base.errors import BoxshipError, InvalidArgumentError
from boxship.engine.containers.context import Context
from boxship.engine.containers.ports import closed_ports
from boxship.engine.containers.record import ContainerRecord, Status
from boxship.engine.containers.requests import ContainerQuery, Counts
from boxship.engine.networks.portwishes import span_of
from boxship.model.labels import LabelFilter
from boxship.model.ports import PortSpan

Test = Callable[[ContainerRecord], bool]
_Maker = Callable[[Context, Sequence[str]], Test]

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_HEALTH = frozenset({"starting", "healthy", "unhealthy", "none"})


def select(context: Context, query: ContainerQuery) -> list[ContainerRecord]:
    """Return the containers asked for, newest first."""
    tests = [_test(context, name, values) for name, values in query.filters.items() if values]
    found = [container.record for container in context.shelf]
    if not (query.all or query.limit > 0 or {"status", "exited"} & set(query.filters)):
        found = [record for record in found if record.state.running]
    found = [record for record in found if all(test(record) for test in tests)]
    found.sort(key=lambda record: record.created_ns, reverse=True)
    return found[: query.limit] if query.limit > 0 else found


def counts(context: Context) -> Counts:
    """Count containers by what they do."""
    states = [container.record.state for container in context.shelf]
    paused = sum(state.paused for state in states)
    running = sum(state.running for state in states) - paused
    return Counts(running=running, paused=paused, stopped=len(states) - running - paused)


def _test(context: Context, name: str, values: Sequence[str]) -> Test:
    maker = _FILTERS.get(name)
    if maker is None:
        raise InvalidArgumentError(f"invalid filter '{name}'")
    return maker(context, values)


# ── one maker per filter ─────────────────────────────────────────────────────────────────────


def _id(_: Context, values: Sequence[str]) -> Test:
    return lambda record: any(_matches(value, record.id) for value in values)


def _name(_: Context, values: Sequence[str]) -> Test:
    return lambda record: any(
        _matches(value, f"/{record.name}") or _matches(value, record.name) for value in values
    )


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return pattern in text


def _label(_: Context, values: Sequence[str]) -> Test:
    wanted = LabelFilter(tuple(values))
    return lambda record: wanted.admits(record.config.labels or {})


def _annotation(_: Context, values: Sequence[str]) -> Test:
    wanted = LabelFilter(tuple(values))
    return lambda record: wanted.admits(record.host.annotations or {})


def _status(_: Context, values: Sequence[str]) -> Test:
    known = {str(status) for status in Status}
    for value in values:
        if value not in known:
            raise InvalidArgumentError(f"invalid filter 'status={value}'")
    return lambda record: record.status in values


def _exited(_: Context, values: Sequence[str]) -> Test:
    try:
        codes = {int(value) for value in values}
    except ValueError:
        raise InvalidArgumentError(f"invalid filter 'exited={values[0]}'") from None
    return lambda record: (
        not record.state.running
        and record.state.started_ns != 0
        and record.state.exit_code in codes
    )


def _ancestor(context: Context, values: Sequence[str]) -> Test:
    images = set()
    for value in values:
        try:
            with context.images.hold(value) as image:
                images.add(str(image.id))
        except BoxshipError:
            continue  # no such image: nothing descends from it
    return lambda record: record.image_id in images or record.image_ref in values


def _before(context: Context, values: Sequence[str]) -> Test:
    others = [context.shelf.find(value).record for value in values]
    return lambda record: any(record.created_ns < other.created_ns for other in others)


def _since(context: Context, values: Sequence[str]) -> Test:
    others = [context.shelf.find(value).record for value in values]
    return lambda record: any(record.created_ns > other.created_ns for other in others)


def _volume(_: Context, values: Sequence[str]) -> Test:
    return lambda record: any(
        value in (point.source, point.destination, point.name)
        for value in values
        for point in record.mounts
    )


def _network(_: Context, values: Sequence[str]) -> Test:
    return lambda record: any(
        value in (endpoint.network, endpoint.network_id)
        for value in values
        for endpoint in record.endpoints
    )


def _health(_: Context, values: Sequence[str]) -> Test:
    for value in values:
        if value not in _HEALTH:
            raise InvalidArgumentError(f"unrecognized filter value for health: {value}")

    def test(record: ContainerRecord) -> bool:
        health = record.state.health
        return (health.status if health is not None else "none") in values

    return test


def _is_task(_: Context, values: Sequence[str]) -> Test:
    for value in values:
        if value not in _TRUE | _FALSE:
            raise InvalidArgumentError(f"invalid filter 'is-task=[{value}]'")
    return lambda _record: any(value in _FALSE for value in values)


def _published(_: Context, values: Sequence[str]) -> Test:
    wanted = tuple(map(span_of, values))
    return lambda record: any(
        span.meets(PortSpan(port.protocol, port.host_first, port.host_last))
        for port in record.ports
        for span in wanted
    )


def _exposed(_: Context, values: Sequence[str]) -> Test:
    wanted = tuple(map(span_of, values))

    def test(record: ContainerRecord) -> bool:
        inside = [
            PortSpan(port.protocol, port.container_first, port.container_last)
            for port in record.ports
        ]
        inside += closed_ports(record)
        return any(span.meets(other) for other in inside for span in wanted)

    return test


def _isolation(_: Context, values: Sequence[str]) -> Test:
    return lambda record: any(value in (record.host.isolation, "default") for value in values)


_FILTERS: dict[str, _Maker] = {
    "ancestor": _ancestor,
    "annotation": _annotation,
    "before": _before,
    "exited": _exited,
    "expose": _exposed,
    "health": _health,
    "id": _id,
    "is-task": _is_task,
    "isolation": _isolation,
    "label": _label,
    "name": _name,
    "network": _network,
    "publish": _published,
    "since": _since,
    "status": _status,
    "volume": _volume,
}
