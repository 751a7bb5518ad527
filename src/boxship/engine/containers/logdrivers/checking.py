"""Is this a log driver, and are these options of it?"""

from collections.abc import Mapping

from boxship.base.errors import InvalidArgumentError
from boxship.base.units import parse_bytes
from boxship.engine.containers.logdrivers import names
from boxship.engine.containers.logdrivers.table import COMMON, DRIVERS, LogDriver
from boxship.engine.containers.logdrivers.tags import parse_tag


def check(driver: str, options: Mapping[str, str], *, partly: bool = False) -> None:
    """Raise InvalidArgumentError, with the words of Docker's daemon where it has some.

    ``partly``: what is missing may be added later. So it is with a request, whose options are
    merged with the daemon's own.
    """
    if driver == names.NONE:
        return
    check_mode(options)
    row = DRIVERS.get(driver)
    if row is None:
        raise InvalidArgumentError(
            f'error looking up logging plugin {driver}: plugin "{driver}" not found'
        )
    given = _given(row, options)
    for option, value in given.items():
        allowed = row.options.get(option) or COMMON.get(option)
        if allowed is None:
            raise InvalidArgumentError(row.unknown.format(option=option, driver=driver))
        allowed(driver, option, value)
    if given.get("tag"):
        parse_tag(given["tag"])
    if not partly:
        for rule in row.rules:
            rule(given)


def _given(row: LogDriver, options: Mapping[str, str]) -> Mapping[str, str]:
    known = row.options.keys() | COMMON.keys()
    return {
        option: value
        for option, value in options.items()
        if value or option in row.without_empty or option not in known
    }


def check_mode(options: Mapping[str, str]) -> None:
    """Check how output is handed over; also for drivers that plugins bring."""
    mode = options.get("mode", "")
    if mode not in ("", "blocking", "non-blocking"):
        raise InvalidArgumentError(
            f'logger: logging mode "{mode}" not supported, expected "blocking" or "non-blocking"'
        )
    size = options.get("max-buffer-size")
    if size is None:
        return
    if mode != "non-blocking":
        raise InvalidArgumentError(
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'"
        )
    try:
        parse_bytes(size)
    except ValueError as error:
        raise InvalidArgumentError(f"error parsing option max-buffer-size: {error}") from None
