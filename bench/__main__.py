"""`scripts/bench [CASE…] [--only ENGINE] [--write]`"""

import argparse
import sys
from contextlib import ExitStack

from bench import report
from bench.cases import CASES
from bench.rows import Engines, Row
from support import dockerd
from support.engine import Engine


def main() -> int:
    arguments = _parse()
    with ExitStack() as stack:
        engines: dict[Engines, Engine] = {}
        for name in arguments.only or Engines:
            engine = dockerd.Dockerd() if name is Engines.DOCKERD else Engine()
            engines[name] = stack.enter_context(engine)
            engine.load("busybox")
        rows: list[Row] = []
        for case in arguments.cases or CASES:
            print(f"{case} …", file=sys.stderr, flush=True)
            rows += CASES[case](engines)
        versions = ", ".join(
            f"{name.value} {engine.api.get('/version').json()['Version']}"
            for name, engine in engines.items()
        )
    print(report.text(rows))
    if arguments.write:
        report.DOCUMENT.write_text(report.markdown(rows, versions))
    return 1 if any(row.reached is False for row in rows) else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--only", action="append", type=Engines, help="dockerd or boxship")
    parser.add_argument("--write", action="store_true", help=f"into {report.DOCUMENT.name}")
    arguments = parser.parse_args()
    if unknown := set(arguments.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    if not dockerd.is_installed() and Engines.DOCKERD in (arguments.only or Engines):
        parser.error("no dockerd to compare with: apt-get install docker.io, or --only boxship")
    return arguments


sys.exit(main())
