"""What ``create`` and ``run`` share: the ID file, the pull of a missing image, the request."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.cli.command.container import beyond
from boxship.cli.command.container.request import Surroundings, build
from boxship.cli.exitcodes import MisuseError
from boxship.cli.flags import Values
from boxship.cli.session import Session
from boxship.cli.streams import terminal
from boxship.cli.verb import Invocation
from boxship.client import containers, images
from boxship.client.endpoint import UnixEndpoint
from boxship.oci.reference import InvalidReferenceError, Reference, parse

_PULL_POLICIES = ("always", "missing", "never")


def body_of(session: Session, given: Invocation) -> dict[str, Any]:
    image, *command = given.arguments
    endpoint = session.choice.endpoint
    around = Surroundings(
        environment=session.environment,
        proxies=session.config.proxy_environment(str(endpoint)),
        api_socket=endpoint.path if isinstance(endpoint, UnixEndpoint) else "",
        console=terminal.size(),
    )
    try:
        return build(given.values, image, command, around)
    except InvalidArgumentError as error:
        raise MisuseError(str(error)) from error


def create(session: Session, given: Invocation, body: dict[str, Any]) -> containers.Created:
    """Create the container, pulling its image if that is missing; write the ID file."""
    values = given.values
    beyond.check_created(session, values)
    policy = values.text("pull")
    if policy not in _PULL_POLICIES:
        raise MisuseError(
            f'invalid pull option: \'{policy}\': must be one of "always", "missing" or "never"'
        )
    reference = _reference(body["Image"])
    platform = values.text("platform") or session.environment.get("DOCKER_DEFAULT_PLATFORM", "")
    with _id_file(values.text("cidfile")) as write_id:
        if policy == "always":
            _pull(session, reference, platform, values)
        created = _create_or_pull(session, given, body, reference, platform)
        write_id.append(created.id)
    for warning in created.warnings:
        session.warn(f"WARNING: {warning}")
    return created


def _create_or_pull(
    session: Session,
    given: Invocation,
    body: dict[str, Any],
    reference: Reference | None,
    platform: str,
) -> containers.Created:
    name = given.values.text("name")
    try:
        return containers.create(session.client, body, name=name, platform=platform)
    except NotFoundError:
        # 404 is also the answer for a missing volume or network: ask whether it was the image.
        if reference is None or given.values.text("pull") != "missing" or _has_image(session, body):
            raise
    if not given.values.on("quiet"):
        session.warn(f"Unable to find image '{reference.familiar}' locally")
    _pull(session, reference, platform, given.values)
    return containers.create(session.client, body, name=name, platform=platform)


def _has_image(session: Session, body: dict[str, Any]) -> bool:
    try:
        images.inspect(session.client, body["Image"])
    except NotFoundError:
        return False
    return True


def _reference(image: str) -> Reference | None:
    """None for an image ID, which cannot be pulled."""
    try:
        return parse(image).with_default_tag()
    except InvalidReferenceError as error:
        if len(image) == 64 or image.startswith("sha256:"):
            return None
        raise InvalidArgumentError(str(error)) from error


def _pull(session: Session, reference: Reference | None, platform: str, values: Values) -> None:
    if reference is None:
        return
    from boxship.cli.progress import drain, show
    from boxship.cli.registryauth import header_for

    tag = str(reference.digest) if reference.digest else reference.tag
    messages = images.pull(
        session.client,
        reference.name,
        tag,
        platform=platform,
        headers=header_for(session, reference),
    )
    if values.on("quiet"):
        drain(messages)
    else:
        show(session, messages, to_stderr=True)


@contextmanager
def _id_file(path: str) -> Iterator[list[str]]:
    """Claim the file first, so that two runs cannot share it; remove it if nothing was created."""
    identifiers: list[str] = []
    if not path:
        yield identifiers
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError as error:
        raise InvalidArgumentError(
            f"container ID file found, make sure the other container isn't running or delete {path}"
        ) from error
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise InvalidArgumentError(
            f"failed to create the container ID file: open {path}: {reason}"
        ) from error
    try:
        yield identifiers
        os.write(descriptor, "".join(identifiers).encode())
    finally:
        os.close(descriptor)
        if not identifiers:
            os.unlink(path)
