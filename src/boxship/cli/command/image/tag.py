"""``boxship tag``."""

from boxship.base.errors import InvalidArgumentError
from boxship.cli.session import Session
from boxship.cli.verb import TWO, Command, Invocation
from boxship.client import images
from boxship.oci.reference import InvalidReferenceError, parse


def run(session: Session, given: Invocation) -> int:
    source, target = given.arguments
    try:
        reference = parse(target)
    except InvalidReferenceError as error:
        raise InvalidArgumentError(
            f'Error parsing reference: "{target}" is not a valid repository/tag: {error}'
        ) from error
    if reference.digest:
        raise InvalidArgumentError("refusing to create a tag with a digest reference")
    images.tag(session.client, source, reference.familiar_name, reference.tag or "latest")
    return 0


COMMAND = Command("SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", TWO, run)
