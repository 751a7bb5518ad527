"""Plugins that installed Python packages have, by entry points."""

from importlib.metadata import EntryPoint, entry_points

GROUP = "boxship.plugins"


def packaged() -> frozenset[str]:
    """Return their names."""
    return frozenset(point.name for point in entry_points(group=GROUP))


def entry_point(name: str) -> EntryPoint:
    """Return what a package says of its plugin. LookupError: no package has one of this name."""
    found = tuple(entry_points(group=GROUP, name=name))
    if not found:
        raise LookupError(f"no installed package has a plugin {name}")
    return found[0]
