"""``boxship tag``."""

from boxship.base.errors import InvalidArgumentError
from boxship.cli.format.images import split_reference
from boxship.cli.session import Session
from boxship.cli.verb import TWO, Command, Invocation
from boxship.client import images


def run(session: Session, given: Invocation) -> int:
    source, target = given.arguments
    repository, tag, digest = split_reference(target)
    if digest:
        raise InvalidArgumentError("refusing to create a tag with a digest reference")
    images.tag(session.client, source, repository, tag or "latest")
    return 0


COMMAND = Command("SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", TWO, run)
