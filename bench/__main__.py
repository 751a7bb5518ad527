"""`scripts/bench [CASE…] [--only ENGINE] [--write]`"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import ModuleType

from bench import builds, bundles, images, networks, report, starts
from bench.cases import API, CASES, DAEMON, NOTES, Case
from bench.rows import Engines, Row
from support import dockerd
from support.engine import Engine

RUNTIME = "runtime"
"""A case of its own: programs beside programs, no engines."""
IMAGES = "images"
"""Another: engines of its own, with a registry beside them."""
NETWORKS = "networks"
"""And another: engines in machines of their own."""
BUILDS = "build"
"""Like those."""
_OF_THEIR_OWN = (RUNTIME, IMAGES, NETWORKS, BUILDS)


def main() -> int:
    arguments = _parse()
    wanted = arguments.cases or [*CASES, *API, *DAEMON, *_OF_THEIR_OWN]
    reached = True
    if RUNTIME in wanted:
        reached = _runtimes(write=arguments.write)
    if IMAGES in wanted:
        reached &= _images(write=arguments.write)
    if NETWORKS in wanted:
        reached &= _labs("Networks", networks, arguments.only, write=arguments.write)
    if BUILDS in wanted:
        reached &= _labs("Builds", builds, arguments.only, write=arguments.write)
    for title, cases in (("Engines", CASES), ("API", API), ("Daemon", DAEMON)):
        if chosen := {name: case for name, case in cases.items() if name in wanted}:
            only = arguments.only or list(Engines)
            reached &= _engines(title, chosen, only, write=arguments.write)
    return 0 if reached else 1


def _engines(
    title: str, cases: Mapping[str, Case], only: Sequence[Engines], *, write: bool
) -> bool:
    """Run cases, print their table, and tell whether all goals were reached."""
    with ExitStack() as stack:
        engines: dict[Engines, Engine] = {}
        for name in only:
            engine = dockerd.Dockerd() if name is Engines.DOCKERD else Engine()
            engines[name] = stack.enter_context(engine)
            engine.load("busybox")
        rows: list[Row] = []
        for case_name, case in cases.items():
            print(f"{case_name} …", file=sys.stderr, flush=True)
            rows += case(engines)
        versions = _versions(engines)
    print(report.text(report.engines(rows)))
    if write:
        report.write(title, report.engines(rows), versions, NOTES.get(title, ""))
    return not any(row.reached is False for row in rows)


def _images(*, write: bool) -> bool:
    """The same for images."""
    print(f"{IMAGES} …", file=sys.stderr, flush=True)
    versions: list[str] = []
    rows = list(images.images(lambda engines: versions.append(_versions(engines))))
    print(report.text(report.engines(rows)))
    if write:
        report.write("Images", report.engines(rows), versions[0], images.NOTE)
    return not any(row.reached is False for row in rows)


def _labs(title: str, module: ModuleType, only: Sequence[Engines] | None, *, write: bool) -> bool:
    """And for what is measured in machines."""
    print(f"{title} …", file=sys.stderr, flush=True)
    versions: list[str] = []

    def note(labs: networks.Labs) -> None:
        versions.append(_versions({name: lab.engine for name, lab in labs.items()}))

    rows = list(getattr(module, title.lower())(note, only or list(Engines)))
    print(report.text(report.engines(rows)))
    if write:
        report.write(title, report.engines(rows), versions[0], module.NOTE)
    return not any(row.reached is False for row in rows)


def _versions(engines: Mapping[Engines, Engine]) -> str:
    return ", ".join(
        f"{name.value} {engine.api.get('/version').json()['Version']}"
        for name, engine in engines.items()
    )


def _runtimes(*, write: bool) -> bool:
    """The same for the runtime, which needs no engine."""
    print(f"{RUNTIME} …", file=sys.stderr, flush=True)
    rows = [*bundles.bundles(), *starts.starts()]
    print(report.text(report.programs(rows)))
    if write:
        report.write("Runtimes", report.programs(rows), bundles.versions())
    return not any(row.reached is False for row in rows)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", help=", ".join([*CASES, *API, *DAEMON, *_OF_THEIR_OWN])
    )
    parser.add_argument("--only", action="append", type=Engines, help="dockerd or boxship")
    parser.add_argument("--write", action="store_true", help=f"into {report.DOCUMENT.name}")
    arguments = parser.parse_args()
    if unknown := set(arguments.cases) - {*CASES, *API, *DAEMON, *_OF_THEIR_OWN}:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    engines = arguments.cases != [RUNTIME] and Engines.DOCKERD in (arguments.only or Engines)
    if engines and not dockerd.is_installed():
        parser.error("no dockerd to compare with: apt-get install docker.io, or --only boxship")
    return arguments


sys.exit(main())
