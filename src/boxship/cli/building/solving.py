"""A build by BuildKit's API, from the wish to the report.

::

    options, inputs ─► request and session ─► Solve ─► updates ─► display
                                                   └► response ─► image id, files, push
"""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import NamedTuple

from boxship.base.errors import NotFoundError
from boxship.cli.building.attributes import (
    MOBY,
    Exporter,
    cache_exports,
    exporters,
    frontend_attributes,
)
from boxship.cli.building.inputs import Archive, Directory, Empty, Inputs, Remote, is_remote
from boxship.cli.building.offering import Offer, open_agents, secret_source
from boxship.cli.building.options import BuildOptions
from boxship.cli.building.specs import STDOUT
from boxship.cli.buildprogress.display import Display
from boxship.cli.session import Session as Client
from boxship.client.buildkit.builder import Builder, Solving, new_ref
from boxship.client.buildkit.directories import LocalDirectory, MemoryDirectory, Source
from boxship.client.buildkit.receiving import Target, to_directory, to_file, to_stream
from boxship.client.buildkit.session import Session
from boxship.wire.buildkit import control

FRONTEND = "dockerfile.v0"
CONTEXT, DOCKERFILE = "context", "dockerfile"
_UPLOAD = "/context"


class Plan(NamedTuple):
    """What a build is made of: the builder's part and ours."""

    attributes: Mapping[str, str]
    directories: Mapping[str, Source]
    archive: Archive | None
    exporters: tuple[Exporter, ...]
    shared: str = ""
    """The directory that builds of the same place have in common; empty if there is none."""


def plan(options: BuildOptions, inputs: Inputs) -> Plan:
    """Decide what goes where; opens no file. NotFoundError: a named context is not there."""
    attributes = frontend_attributes(options)
    directories: dict[str, Source] = {}
    archive, shared = None, ""
    context = inputs.context
    if isinstance(context, Directory):
        directories[CONTEXT], shared = LocalDirectory(context.path), context.path
    elif isinstance(context, Empty):
        directories[CONTEXT] = MemoryDirectory({})
    elif isinstance(context, Remote):
        attributes["context"] = context.url
    else:
        archive, attributes["context"] = context, f"http://buildkit-session{_UPLOAD}"
    attributes["filename"] = inputs.dockerfile
    if inputs.text is not None:
        directories[DOCKERFILE] = MemoryDirectory({inputs.dockerfile: inputs.text})
    elif inputs.directory:
        directories[DOCKERFILE] = LocalDirectory(inputs.directory)
    if DOCKERFILE in directories and CONTEXT not in directories:
        attributes["dockerfilekey"] = DOCKERFILE  # else it is looked for in the context
    for cache in options.cache.sources:
        place = cache.attributes.get("src", "")
        if cache.type == "local" and os.path.isdir(place):
            directories[f"cache-from:{place}"] = LocalDirectory(place)
    for name, value in options.contexts:
        attributes[f"context:{name}"] = _named(name, value, directories)
    return Plan(attributes, directories, archive, exporters(options), shared)


def _named(name: str, value: str, directories: dict[str, Source]) -> str:
    """The attribute of a named context; a directory of ours is offered under its name."""
    if "://" in value or is_remote(value) or value.startswith(("target:", "input:")):
        return value
    if not os.path.isdir(value):
        raise NotFoundError(f"failed to get build context {name}: {value}: no such directory")
    directories[name] = LocalDirectory(value)
    return f"local:{name}"


class Built(NamedTuple):
    """What came of a build that succeeded."""

    ref: str
    response: Mapping[str, str]
    unheard: str = ""
    """Why its output isn't all that there was, if it isn't."""

    @property
    def image(self) -> str:
        """The image's id as ``--iidfile`` has it: of its config; else of its manifest."""
        names = ("containerimage.config.digest", "containerimage.digest")
        return next((self.response[name] for name in names if self.response.get(name)), "")


def build(
    client: Client, options: BuildOptions, inputs: Inputs, builder: Builder, display: Display
) -> Built:
    """Build; BuildFailedError if it fails, after everything was shown."""
    planned = plan(options, inputs)
    with ExitStack() as stack:
        session = open_session(client, options, planned, stack)
        request = _request(options, planned, session.id)
        solving = builder.solve(request)
        return Built(request.ref, _run(solving, display), solving.unheard)


def open_session(client: Client, options: BuildOptions, planned: Plan, stack: ExitStack) -> Session:
    """Offer the builder what the plan needs, for as long as ``stack``."""
    offer = Offer(
        directories=planned.directories,
        secrets=tuple(secret_source(each, client.environment) for each in options.secrets),
        agents=open_agents(options.agents, client.environment, stack),
        archive=planned.archive,
        targets=_targets(planned.exporters),
        caches=_caches(options),
        shared=planned.shared,
    )
    name, key = offer.identity()
    services = offer.services(client)
    return stack.enter_context(Session(client.client, services, name=name, shared_key=key))


def _caches(options: BuildOptions) -> dict[str, Target]:
    """Directories that a cache may be left in."""
    places = (each.attributes.get("dest", "") for each in options.cache.targets)
    return {place: to_directory(place) for place in places if place}


def _targets(found: tuple[Exporter, ...]) -> dict[str, Target]:
    targets: dict[str, Target] = {}
    for place, exporter in enumerate(found):
        if exporter.destination == STDOUT:
            targets[str(place)] = to_stream(sys.stdout.buffer)
        elif exporter.type == "local":
            targets[str(place)] = to_directory(exporter.destination)
        elif exporter.destination:
            targets[str(place)] = to_file(exporter.destination)
    return targets


def _request(options: BuildOptions, planned: Plan, session: str) -> control.SolveRequest:
    found = planned.exporters
    attributes = [_exporter_attributes(each) for each in found]
    cache = control.CacheOptions(
        exports=tuple(
            control.CacheOptionsEntry(each.type, dict(each.attributes))
            for each in cache_exports(options.cache.targets)
        ),
        imports=tuple(
            control.CacheOptionsEntry(each.type, dict(each.attributes))
            for each in options.cache.sources
        ),
    )
    return control.SolveRequest(
        ref=new_ref(),
        exporter=found[0].type if found else "",
        exporter_attrs=attributes[0] if found else {},
        session=session,
        frontend=FRONTEND,
        frontend_attrs=dict(planned.attributes),
        cache=cache,
        entitlements=options.entitlements,
        exporters=tuple(
            control.Exporter(each.type, attrs)
            for each, attrs in zip(found, attributes, strict=True)
        ),
    )


def _exporter_attributes(exporter: Exporter) -> dict[str, str]:
    """Without what the client does itself: an engine's own store pushes nowhere."""
    if exporter.type != MOBY:
        return exporter.attributes
    return {name: value for name, value in exporter.attributes.items() if name != "push"}


def _run(solving: Solving, display: Display) -> dict[str, str]:
    try:
        for update in solving.updates(lambda: display.tick(time.time_ns())):
            display.show(update, time.time_ns())
        return solving.response()
    finally:
        solving.cancel()
        display.finish(time.time_ns())
