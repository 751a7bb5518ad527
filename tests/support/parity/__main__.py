"""Run scenarios against both daemons and print what differs; run by ``scripts/parity``."""

import argparse
import sys
import time
from collections import Counter
from fnmatch import fnmatchcase

from support.parity.comparing import Difference
from support.parity.pair import pair
from support.parity.reviewed import Reviewed
from support.parity.run import Run
from support.parity.scenarios import load


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/parity", description=__doc__)
    parser.add_argument("pattern", nargs="*", help="of scenarios: GROUP/NAME; default: all")
    arguments = parser.parse_args()
    every = load()
    patterns = arguments.pattern or ["*"]
    chosen = [s for s in every if any(fnmatchcase(s.id, pattern) for pattern in patterns)]
    with pair() as both:
        run = Run(both, Reviewed())
        for scenario in chosen:
            began = time.monotonic()
            differences = run.scenario(scenario)
            took = time.monotonic() - began
            print(f"{scenario.id}: {len(scenario.steps)} steps, {took:.1f} s", flush=True)
            print_each_once(differences)
    idle = run.idle(every)
    faults = both.faults()
    print(*faults, sep="\n", end="\n" if faults else "")
    for entry in idle:
        print(f"nothing differs any more as in: {entry}")
    print(*run.tally.lines(run.reviewed.reasons), sep="\n")
    return 1 if run.tally.unexplained or idle or faults else 0


def print_each_once(differences: list[Difference]) -> None:
    """Of those that are the same at one place in several steps the first."""
    seen = Counter((found.at, found.dockerd, found.boxshipd) for found in differences)
    for found in differences:
        count = seen.pop((found.at, found.dockerd, found.boxshipd), 0)
        if count:
            print(found, f"    (in {count} steps)" if count > 1 else "", flush=True)


if __name__ == "__main__":
    sys.exit(main())
