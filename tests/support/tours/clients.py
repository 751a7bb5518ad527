"""Clients that other people wrote, shown as they drive an engine.

Run by ``scripts/try-clients``. Each call is printed with what came of it, and the first surprise
ends the tour with 1.
"""

import argparse
import sys
from collections.abc import Callable, Iterator

from support.clients import aio, compose, dockerode, dockerpy, testing
from support.clients.stage import Stage

OLDER = ("1.24", "1.30", "1.41", "1.44")

Part = tuple[str, Callable[[], None]]


def _parts(stage: Stage) -> Iterator[Part]:
    scene = stage.scene
    for resource in dockerpy.RESOURCES:
        yield f"docker-py: {resource}", lambda r=resource: dockerpy.drive(r, scene)  # type: ignore[misc]
    for version in OLDER:
        for resource in dockerpy.RESOURCES:
            yield (
                f"docker-py at {version}: {resource}",
                lambda r=resource, v=version: dockerpy.drive(r, scene, v),  # type: ignore[misc]
            )
    for resource in aio.RESOURCES:
        yield f"aiodocker: {resource}", lambda r=resource: aio.drive(r, scene)  # type: ignore[misc]
    for resource in dockerode.RESOURCES:
        yield f"dockerode: {resource}", lambda r=resource: dockerode.drive(r, scene)  # type: ignore[misc]
    yield "testcontainers", lambda: testing.drive(scene, stage.lab.machine)
    for version in compose.composes():
        yield f"compose {version}", lambda v=version: compose.drive(v, scene)  # type: ignore[misc]


CLIENTS = ("docker-py", "aiodocker", "dockerode", "testcontainers", "compose")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/try-clients")
    parser.add_argument("--engine", choices=["boxshipd", "dockerd"], default="boxshipd")
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=", ".join(CLIENTS))
    arguments = parser.parse_args()
    wanted = set(arguments.clients or CLIENTS)
    if unknown := wanted - set(CLIENTS):
        parser.error(f"no client {', '.join(sorted(unknown))}: there are {', '.join(CLIENTS)}")
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    count = 0
    with Stage(arguments.engine) as stage:
        try:
            for title, part in _parts(stage):
                if title.replace(":", "").split()[0] not in wanted:
                    continue
                print(f"\n== {title}")
                part()
                stage.clear()
                count += 1
        finally:
            stage.reset()
    print(f"\n{count} parts, all as it should be")


if __name__ == "__main__":
    main()
