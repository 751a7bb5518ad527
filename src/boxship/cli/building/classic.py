"""A build by ``POST /build``, for engines without BuildKit, or if ``DOCKER_BUILDKIT=0`` says so."""

import base64
import json
import os
import sys
from collections.abc import Iterable, Iterator

from boxship.base.errors import InvalidArgumentError
from boxship.cli.building.contextarchive import compressed, pack
from boxship.cli.building.inputs import Archive, Directory, Empty, Inputs, Remote
from boxship.cli.building.options import BuildOptions
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Values
from boxship.cli.progress import Message, plain, show
from boxship.cli.registryauth import keychain
from boxship.cli.session import Session
from boxship.client import builds
from boxship.client.builds import ClassicBuild

_LIMITS = {
    "memory": "memory",
    "memory-swap": "memswap",
    "cpu-shares": "cpushares",
    "cpu-period": "cpuperiod",
    "cpu-quota": "cpuquota",
    "cpuset-cpus": "cpusetcpus",
    "cpuset-mems": "cpusetmems",
}


def check(options: BuildOptions) -> None:
    """Raise InvalidArgumentError for wishes that the classic builder cannot fulfil."""
    asked = (
        (bool(options.secrets), "--secret"),
        (bool(options.agents), "--ssh"),
        (bool(options.outputs), "--output"),
        (bool(options.contexts), "--build-context"),
        (bool(options.attestations), "--attest"),
        (bool(options.annotations), "--annotation"),
        (bool(options.cache.targets), "--cache-to"),
        (bool(options.cache.disabled_stages), "--no-cache-filter"),
        (bool(options.entitlements), "--allow"),
        (bool(options.call.method), "--call"),
        (options.cache.explain, "--explain-cache"),
        (options.reporting.shell_on_error, "--on-error"),
        (options.reporting.metadata_file, "--metadata-file"),
        (len(options.platforms) > 1, "--platform with several platforms"),
        (any(each.type != "registry" for each in options.cache.sources), "--cache-from type=…"),
    )
    names = [name for is_asked, name in asked if is_asked]
    if names:
        raise InvalidArgumentError(
            f"{', '.join(names)}: not possible with the classic builder; it takes an engine with "
            "BuildKit, and DOCKER_BUILDKIT must not be 0"
        )


def wish_of(options: BuildOptions, values: Values, dockerfile: str, remote: str) -> ClassicBuild:
    """Return the wish in the terms of ``POST /build``."""
    limits = {_LIMITS[name]: value for name, value in options.limits.resources}
    return ClassicBuild(
        dockerfile=dockerfile,
        tags=options.tags,
        remote=remote,
        quiet=options.reporting.progress == "quiet",
        no_cache=options.cache.disabled,
        cache_from=tuple(each.attributes["ref"] for each in options.cache.sources),
        pull=options.cache.pull,
        remove=values.on("rm"),
        force_remove=values.on("force-rm"),
        limits=limits,
        shm_size=options.limits.shm_size,
        cgroup_parent=options.limits.cgroup_parent,
        ulimits=options.limits.ulimits,
        security=options.limits.security,
        arguments=dict(options.arguments),
        labels=dict(options.labels),
        network=options.network,
        target=options.target,
        hosts=tuple(host.replace("=", ":", 1) for host in options.hosts),
        platform=options.platforms[0] if options.platforms else "",
        squash=options.squash,
    )


def build(session: Session, options: BuildOptions, values: Values, inputs: Inputs) -> str:
    """Build, show, and return the image's id."""
    check(options)
    archive, dockerfile, remote = _context(inputs)
    if archive is not None and options.compress:
        archive = compressed(archive)
    wish = wish_of(options, values, dockerfile, remote)
    messages = builds.build(session.client, wish, archive, _credentials(session))
    return _shown(session, messages, quiet=wish.quiet)


def _context(inputs: Inputs) -> tuple[Iterable[bytes] | None, str, str]:
    """Return the archive, the Dockerfile's name in it, and the remote."""
    context = inputs.context
    if isinstance(context, Remote):
        if inputs.text is not None or inputs.directory:
            raise InvalidArgumentError(
                "the classic builder takes the Dockerfile of a remote context from within it"
            )
        return None, inputs.dockerfile, context.url
    if isinstance(context, Archive):
        return context.pieces(), inputs.dockerfile, ""
    if isinstance(context, Empty):
        pieces, name = pack("", "", inputs.text)
        return pieces, name, ""
    within, text = _dockerfile_within(context, inputs)
    pieces, name = pack(context.path, within, text)
    return pieces, name, ""


def _dockerfile_within(context: Directory, inputs: Inputs) -> tuple[str, bytes | None]:
    """Return its name in the context, or its content if it lies elsewhere."""
    if inputs.text is not None:
        return "", inputs.text
    path = os.path.join(inputs.directory or context.path, inputs.dockerfile)
    within = os.path.relpath(os.path.realpath(path), os.path.realpath(context.path))
    if not within.startswith("../"):
        return within, None
    with open(path, "rb") as file:
        return "", file.read()


def _credentials(session: Session) -> tuple[tuple[str, str], ...]:
    logins = keychain(session).all()
    document = {server: login.document() for server, login in logins.items()}
    encoded = base64.urlsafe_b64encode(json.dumps(document).encode()).decode()
    return (("X-Registry-Config", encoded),)


def _shown(session: Session, messages: Iterable[Message], *, quiet: bool) -> str:
    """Show what is told; in quiet builds only the id, but everything after a failure."""
    found: list[str] = []
    passed = _watched(messages, found)
    if not quiet:
        show(session, passed)
        return found[-1] if found else ""
    said: list[str] = []
    try:
        for message in passed:
            said.append(plain(message))
    except Exception:
        session.warn("".join(said).rstrip("\n"))
        raise
    if not found and said:
        found.append(said[-1].strip())
    return found[-1] if found else ""


def _watched(messages: Iterable[Message], found: list[str]) -> Iterator[Message]:
    """Note the image's id, and end with the exit code of the step that failed."""
    for message in messages:
        aux = message.get("aux")
        if isinstance(aux, dict) and aux.get("ID"):
            found.append(str(aux["ID"]))
            continue
        detail = message.get("errorDetail") or {}
        if detail or message.get("error"):
            sys.stdout.flush()
            text = str(detail.get("message") or message.get("error"))
            raise ExitError(int(detail.get("code") or FAILURE), text)
        yield message
