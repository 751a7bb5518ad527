"""``boxship image bootstrap``: a base image from a distribution's mirror, without a registry."""

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.progress import show
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation

FLAGS = (
    Flag("arch", "", kinds.STRING, "Architecture, as arm64; the daemon's if not given"),
    Flag("include", "", kinds.CSV, "Packages to install on top of the variant"),
    Flag("keyring", "", kinds.STRING, "File of OpenPGP keys that may sign the releases"),
    Flag("mirror", "", kinds.STRING, "The only mirror to take packages from"),
    Flag("snapshot", "", kinds.STRING, "Debian as it was, from its archive: 20250520T000000Z"),
    Flag("tag", "t", kinds.STRING, "Name of the image; as the distribution if not given"),
    Flag("variant", "", kinds.STRING, "essential, apt, minbase or important", default="minbase"),
)
ABOUT = """\
Packages come from the distribution's mirror (debian:SUITE, ubuntu:SUITE) and are checked against
its signed release. Their scripts run in a container of the daemon. The same packages make the same
image, to the byte, wherever and whenever it is made."""


def run(session: Session, given: Invocation) -> int:
    from boxship.bootstrap.building import bootstrap
    from boxship.bootstrap.distributions import parse_target
    from boxship.bootstrap.wish import Wish
    from boxship.oci.platform import PlatformError, parse
    from boxship.oci.reference import InvalidReferenceError
    from boxship.oci.reference import parse as parse_reference

    values, text = given.values, given.arguments[0]
    try:
        platform = parse(values.text("arch") or _architecture(session))
        name = parse_reference(values.text("tag") or text).with_default_tag()
    except (PlatformError, InvalidReferenceError) as error:
        raise InvalidArgumentError(str(error)) from error
    if name.digest:
        raise InvalidArgumentError("an image cannot be named by a digest before it is made")
    wish = Wish(
        parse_target(
            text, platform, mirror=values.text("mirror"), snapshot=values.text("snapshot")
        ),
        platform,
        values.text("variant"),
        values.many("include"),
        name.familiar,
        values.text("keyring"),
    )
    show(session, bootstrap(session.client, wish, session.environment))
    return 0


def _architecture(session: Session) -> str:
    version: dict[str, str] = session.client.json("GET", "/version")
    return version["Arch"]


COMMAND = Command("[OPTIONS] DISTRIBUTION:SUITE", ONE, run, FLAGS, about=ABOUT)
