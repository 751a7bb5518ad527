"""`scripts/fuzz`: thousands of requests to a daemon of its own."""

import argparse
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from support.engine import Engine
from support.fuzz.session import Session
from support.machines import World


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    print(f"seed {given.seed}, {given.requests} requests", flush=True)
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as place,
        World() as world,
        Engine(networks=True, namespace=world.place.path) as engine,
    ):
        engine.load("busybox")
        before = engine.descriptors()
        session = Session(engine, Path(place), given.seed, _say).prepare()
        findings = session.run(given.requests)
        session.clear()
        more = _more(before, engine.descriptors())
        if "Traceback" in engine.log():
            findings.faults.append("the daemon's log has a traceback")
            for line in engine.log().splitlines():
                if "Traceback" in line:
                    _say(line.replace("\\n", "\n"))
    print("answers:", *(f"{s}: {n}" for s, n in sorted(findings.statuses.items())), sep="  ")
    print(f"{len(findings.operations)} operations; descriptors more than before:", more)
    print(
        f"{findings.sent} requests in {time.monotonic() - started:.0f} s, "
        f"{len(findings.faults)} faults, nothing left behind"
    )
    sys.exit(bool(findings.faults))


def _more(before: list[str], after: list[str]) -> dict[str, int]:
    """Kinds of descriptors, without numbers, and how many more there are."""
    kinds = [
        Counter(re.sub(r"[0-9a-f]{4,}|\d+", "#", each) for each in some) for some in (before, after)
    ]
    return dict(kinds[1] - kinds[0])


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
