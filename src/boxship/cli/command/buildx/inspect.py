"""``boxship buildx inspect``."""

from typing import TYPE_CHECKING, NamedTuple

from boxship.cli import kinds
from boxship.cli.building.builders import BUILDER as NAME
from boxship.cli.building.builders import check_name, opened
from boxship.cli.building.flags import BUILDER, DEBUG
from boxship.cli.flags import Flag
from boxship.cli.format.sizes import human_size
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation

if TYPE_CHECKING:
    from boxship.wire.buildkit.worker import GCPolicy

FLAGS = (
    Flag("bootstrap", "", kinds.BOOL, "Accepted, no effect: the engine is there"),
    BUILDER,
    DEBUG,
    Flag("timeout", "", kinds.DURATION, "Accepted, no effect", default=20_000_000_000),
)


class Policy(NamedTuple):
    """A rule of garbage collection, as lines."""

    lines: tuple[str, ...]


class BuilderDetails(NamedTuple):
    version: str
    platforms: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    policies: tuple[Policy, ...]


def run(session: Session, given: Invocation) -> int:
    check_name(given.arguments[0] if given.arguments else "")
    found = details(session, given)
    lines = [f"Name:   {NAME}", "Driver: docker", "", "Nodes:"]
    lines += [
        f"{title + ':':<18}{value}"
        for title, value in (
            ("Name", NAME),
            ("Endpoint", str(session.choice.endpoint)),
            ("Status", "running"),
            ("BuildKit version", found.version),
            ("Platforms", ", ".join(found.platforms)),
        )
        if value
    ]
    lines += ["Labels:"] if found.labels else []
    lines += [f" {name + ':':<40} {value}" for name, value in found.labels]
    for number, policy in enumerate(found.policies):
        lines += [f"GC Policy rule#{number}:", *(f" {line}" for line in policy.lines)]
    session.say("\n".join(lines))
    return 0


def details(session: Session, given: Invocation) -> BuilderDetails:
    """Ask the builder who it is."""
    from boxship.client.buildkit.builder import BuildFailedError
    from boxship.wire.buildkit import methods
    from boxship.wire.buildkit.control import InfoRequest, ListWorkersRequest

    with opened(session, given) as builder:
        workers = builder.ask(methods.LIST_WORKERS, ListWorkersRequest()).record
        try:
            version = builder.ask(methods.INFO, InfoRequest()).version
        except BuildFailedError:  # engines of before 0.11 cannot tell
            version = None
    platforms: dict[str, None] = {}
    labels: dict[str, str] = {}
    policies: list[Policy] = []
    for worker in workers:
        for each in worker.platforms:
            variant = f"/{each.variant}" if each.variant else ""
            platforms[f"{each.os}/{each.architecture}{variant}"] = None
        labels |= worker.labels
        policies += [Policy(_policy_lines(each)) for each in worker.gc_policy]
    return BuilderDetails(
        version.version if version is not None else "",
        tuple(platforms),
        tuple(sorted(labels.items())),
        tuple(policies),
    )


def _policy_lines(policy: "GCPolicy") -> tuple[str, ...]:
    pairs = [
        ("All", str(policy.all).lower()),
        ("Filters", ",".join(policy.filters)),
        ("Keep Duration", f"{policy.keep_duration // 10**9}s" if policy.keep_duration else ""),
        ("Keep Bytes", human_size(policy.reserved_space) if policy.reserved_space else ""),
        ("Max Used Space", human_size(policy.max_used_space) if policy.max_used_space else ""),
        ("Min Free Space", human_size(policy.min_free_space) if policy.min_free_space else ""),
    ]
    return tuple(f"{title + ':':<16}{value}" for title, value in pairs if value)


COMMAND = Command("[OPTIONS] [NAME]", Arity(0, 1), run, FLAGS)
