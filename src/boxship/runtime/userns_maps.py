"""Maps of a user namespace as data: first id inside, first id outside, how many. Pure."""

Map = tuple[tuple[int, int, int], ...]


def outside(entries: Map, number: int) -> int:
    """Return what an id inside is outside; -1 when it is nothing."""
    for first, host, count in entries:
        if first <= number < first + count:
            return host + number - first
    return -1


def text_of(entries: Map) -> str:
    """Return the map as ``/proc/PID/uid_map`` takes it."""
    return "".join(f"{inside} {outside} {count}\n" for inside, outside, count in entries)


def parse(text: str) -> Map:
    """Read what ``/proc/PID/uid_map`` says."""
    rows = (line.split() for line in text.splitlines() if line)
    return tuple((int(inside), int(outside), int(count)) for inside, outside, count in rows)
