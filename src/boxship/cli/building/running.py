"""``boxship build`` from the command line to the exit code."""

import base64
import json
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from boxship.base.errors import InvalidArgumentError, NotImplementedYetError
from boxship.base.files import write_atomic
from boxship.base.suppress import suppress
from boxship.cli.building.attributes import canonical
from boxship.cli.building.builders import BUILDER, check_builder
from boxship.cli.building.inputs import Inputs, resolve
from boxship.cli.building.options import BuildOptions, options_of
from boxship.cli.buildprogress.display import Display, display_for, excerpt, failures, warnings
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.kinds import parse_bool
from boxship.cli.session import Session
from boxship.cli.verb import Invocation

if TYPE_CHECKING:
    from boxship.client.buildkit.builder import Builder, BuildFailedError


Enter = Callable[[Session, str], None]
"""Opens a shell in the image of what a failed step left; empty if nothing was kept."""


def run_build(session: Session, given: Invocation, enter: Enter) -> int:
    """Return the exit code."""
    check_builder(session, given)
    values = given.values
    proxies = session.config.proxy_environment(str(session.choice.endpoint))
    options = options_of(values, session.environment, proxies)
    if values.many("policy"):
        raise InvalidArgumentError("--policy: policies of sources are not supported")
    if options.reporting.id_file:
        with suppress(FileNotFoundError):
            os.unlink(options.reporting.id_file)
    inputs = resolve(given.arguments[0], options.file)
    if not _wants_buildkit(session):
        return _classic(session, options, given, inputs)
    from boxship.client.buildkit.builder import Builder

    try:
        builder = Builder.connect(session.client)
    except NotImplementedYetError:
        return _classic(session, options, given, inputs)
    with builder:
        if options.call.method:
            from boxship.cli.building.calling import call

            return call(session, options, inputs, builder)
        return run_with(session, options, inputs, builder, enter)


def _wants_buildkit(session: Session) -> bool:
    text = session.environment.get("DOCKER_BUILDKIT", "")
    try:
        return parse_bool(text) if text else True
    except ValueError as error:
        raise InvalidArgumentError(
            f"DOCKER_BUILDKIT environment variable expects boolean value: {text!r}"
        ) from error


def _classic(session: Session, options: BuildOptions, given: Invocation, inputs: Inputs) -> int:
    from boxship.cli.building import classic

    image = classic.build(session, options, given.values, inputs)
    if options.reporting.id_file:
        _write(options.reporting.id_file, image.encode())
    if options.reporting.progress == "quiet":
        session.say(image)
    return 0


def run_with(
    session: Session, options: BuildOptions, inputs: Inputs, builder: "Builder", enter: Enter
) -> int:
    """Build, write down what was asked for, push, and say how it went."""
    from boxship.cli.building.solving import build
    from boxship.client.buildkit.builder import BuildFailedError

    display = new_display(session, options.reporting.progress)
    try:
        built = build(session, options, inputs, builder, display)
    except BuildFailedError as error:
        code = failed(session, options, error, display)
        if options.reporting.shell_on_error:
            enter(session, error.kept_image)
        return code
    if built.unheard:
        session.warn(f"WARNING: the build has succeeded, its output broke off: {built.unheard}")
    reporting = options.reporting
    if reporting.id_file:
        _write(reporting.id_file, built.image.encode())
    if reporting.metadata_file:
        text = json.dumps(metadata(built.ref, built.response), indent=2, ensure_ascii=False)
        _write(reporting.metadata_file, text.encode())
    if reporting.progress not in ("quiet", "rawjson", "none"):
        text = warnings(display.trace, expanded=_expanded(session, options))
        if text:
            session.warn(f"\n {text}")
    push(session, options)
    if reporting.progress == "quiet" and built.image:
        session.say(built.image)
    return 0


def _expanded(session: Session, options: BuildOptions) -> bool:
    return session.debug or options.reporting.expanded


def new_display(session: Session, mode: str) -> Display:
    colors = not session.environment.get("NO_COLOR")
    return display_for(mode, session.err, time.time_ns(), colors=colors)


def failed(
    session: Session, options: BuildOptions, error: "BuildFailedError", display: Display
) -> int:
    """Show what is known of a failure; return the exit code."""
    trace = display.trace
    if options.reporting.progress != "rawjson":
        said = [
            text
            for text in (warnings(trace, expanded=_expanded(session, options)), failures(trace))
            if text
        ]
        said += [text for text in map(excerpt, error.places) if text]
        if said:
            session.warn("\n".join(said))
    session.warn(f"ERROR: failed to solve: {error}")
    return FAILURE


def metadata(ref: str, response: Mapping[str, str]) -> dict[str, Any]:
    """What ``--metadata-file`` has: the exporters' answers, with documents as such."""
    found: dict[str, Any] = {"buildx.build.ref": f"{BUILDER}/{BUILDER}/{ref}"}
    for name, value in response.items():
        found[name] = _document(value)
    return dict(sorted(found.items()))


def _document(value: str) -> Any:
    """Documents travel as base64; everything else is text."""
    try:
        document = json.loads(base64.b64decode(value, validate=True))
    except ValueError:
        return value
    return document if isinstance(document, dict | list) else value


def _write(path: str, data: bytes) -> None:
    try:
        write_atomic(path, data, mode=0o644)
    except OSError as error:
        raise ExitError(FAILURE, f"cannot write {path}: {error.strerror}") from error


def push(session: Session, options: BuildOptions) -> None:
    """Bring the images that are in the engine now to their registries, as the engine can."""
    from boxship.cli.progress import drain, show
    from boxship.cli.registryauth import header_for
    from boxship.client import images
    from boxship.oci.reference import parse

    names: list[str] = []
    for output in options.outputs:
        if output.is_image and output.is_pushed:
            if output.attributes.get("push-by-digest") == "true":
                raise InvalidArgumentError("push-by-digest is not possible with the engine's store")
            given = output.attributes.get("name", "")
            names += given.split(",") if given else [canonical(tag) for tag in options.tags]
    for name in names:
        reference = parse(name).with_default_tag()
        messages = images.push(
            session.client,
            reference.familiar_name,
            reference.tag,
            headers=header_for(session, reference),
        )
        if options.reporting.progress in ("quiet", "rawjson", "none"):
            drain(messages)
        else:
            session.warn(f"pushing {reference.familiar}")
            show(session, messages, to_stderr=True)
