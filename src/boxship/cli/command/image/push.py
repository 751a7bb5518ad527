"""``boxship push``."""

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.platforms import wanted
from boxship.cli.progress import drain, show
from boxship.cli.registryauth import header_for
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import images
from boxship.oci.reference import InvalidReferenceError, parse

FLAGS = (
    Flag("all-tags", "a", kinds.BOOL, "Push all tags of the repository"),
    Flag("disable-content-trust", "", kinds.BOOL, "Accepted, no effect: nothing is signed"),
    Flag("platform", "", kinds.STRING, "Of several platforms push this one, as linux/arm64"),
    Flag("quiet", "q", kinds.BOOL, "Print the name alone"),
)


def run(session: Session, given: Invocation) -> int:
    values, text = given.values, given.arguments[0]
    try:
        reference = parse(text)
    except InvalidReferenceError as error:
        raise InvalidArgumentError(str(error)) from error
    platforms = wanted([values.text("platform")] if values.text("platform") else ())
    if values.on("all-tags"):
        if reference.tag or reference.digest:
            raise ExitError(FAILURE, "tag can't be used with --all-tags/-a")
    elif not reference.tag and not reference.digest:
        reference = reference.with_default_tag()
        if not values.on("quiet"):
            session.say(f"Using default tag: {reference.tag}")
    name = reference.familiar if reference.digest else reference.familiar_name
    tag = "" if reference.digest else reference.tag
    messages = images.push(
        session.client,
        name,
        tag,
        platform=next(iter(platforms), None),
        headers=header_for(session, reference),
    )
    if values.on("quiet"):
        drain(messages)
        session.say(reference.familiar)
    else:
        show(session, messages)
    return 0


COMMAND = Command("[OPTIONS] NAME[:TAG]", ONE, run, FLAGS)
