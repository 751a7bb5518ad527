"""``boxship pull``."""

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.progress import drain, show
from boxship.cli.registryauth import header_for
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import images
from boxship.oci.reference import InvalidReferenceError, Reference, parse

FLAGS = (
    Flag("all-tags", "a", kinds.BOOL, "Pull every tag of the repository"),
    Flag("disable-content-trust", "", kinds.BOOL, "Accepted; signatures are not checked", True),
    Flag("platform", "", kinds.STRING, "The image for this platform, as linux/arm64"),
    Flag("quiet", "q", kinds.BOOL, "Print the image's name alone"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    reference = _reference(given.arguments[0])
    if values.on("all-tags"):
        if reference.tag or reference.digest:
            raise InvalidArgumentError("tag can't be used with --all-tags/-a")
    elif not reference.tag and not reference.digest:
        reference = reference.with_default_tag()
        if not values.on("quiet"):
            session.say(f"Using default tag: {reference.tag}")
    platform = values.text("platform") or session.environment.get("DOCKER_DEFAULT_PLATFORM", "")
    messages = images.pull(
        session.client,
        reference.familiar_name,
        str(reference.digest) if reference.digest else reference.tag,
        platform=platform,
        headers=header_for(session, reference),
    )
    if values.on("quiet"):
        drain(messages)
    else:
        show(session, messages)
    session.say(str(reference))
    return 0


def _reference(text: str) -> Reference:
    try:
        return parse(text)
    except InvalidReferenceError as error:
        raise InvalidArgumentError(str(error)) from error


COMMAND = Command("[OPTIONS] NAME[:TAG|@DIGEST]", ONE, run, FLAGS)
