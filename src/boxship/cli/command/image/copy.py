"""``boxship image copy``."""

from typing import TYPE_CHECKING

from boxship.base.errors import InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.exitcodes import MisuseError
from boxship.cli.flags import Flag, Values
from boxship.cli.progress import show
from boxship.cli.session import Session
from boxship.cli.verb import TWO, Command, Invocation

if TYPE_CHECKING:
    from boxship.copying.opening import Ends
    from boxship.copying.places import Place

FLAGS = (
    Flag("all", "a", kinds.BOOL, "Copy the images of all platforms"),
    Flag("insecure-registry", "", kinds.LIST, "Registry to speak to without TLS or its checks"),
    Flag("platform", "", kinds.STRING, "Copy this platform's image, as linux/arm64"),
    Flag("quiet", "q", kinds.BOOL, "Print the digest alone"),
)
ABOUT = """\
A place is one of:
  [engine:]NAME                    an image of the daemon
  ssh://[USER@]HOST[:PORT]/NAME    an image of a daemon on another machine
  registry:[HOST/]NAME[:TAG]       an image of a registry; a source may end with @DIGEST
  archive:FILE[:NAME]              an archive as of 'save', Docker's or OCI's
  oci:DIRECTORY[:TAG]              an OCI image layout

Without --all and --platform, the image for the daemon's kind of machine is copied. Digests stay
what they are wherever the formats allow it: between registries, layouts and OCI archives."""


def run(session: Session, given: Invocation) -> int:
    from boxship.copying.places import parse_place
    from boxship.copying.plan import Choice
    from boxship.copying.transfer import copy
    from boxship.oci.platform import PlatformError, host, parse

    values = given.values
    if values.on("all") and values.text("platform"):
        raise MisuseError("--all and --platform contradict each other")
    source, destination = (parse_place(text) for text in given.arguments)
    try:
        wanted = parse(values.text("platform")) if values.text("platform") else None
    except PlatformError as error:
        raise InvalidArgumentError(str(error)) from error
    choice = Choice(host(), wanted, all=values.on("all"))
    messages = copy(_opener(session, source, destination, values), choice)
    if values.on("quiet"):
        *_, last = messages
        session.say(str(last["status"]).removeprefix("Digest: "))
        return 0
    show(session, messages)
    return 0


def _opener(session: Session, source: "Place", destination: "Place", values: Values) -> "Ends":
    from boxship.cli.registryauth import credentials_for
    from boxship.client.endpoint import SshEndpoint
    from boxship.client.engine import EngineClient
    from boxship.copying.opening import Doors, Ends
    from boxship.distribution.registries import Registries
    from boxship.distribution.settings import Proxies, RegistrySettings

    def engine(host: SshEndpoint | None) -> EngineClient:
        return session.client.beside() if host is None else EngineClient(host)

    settings = RegistrySettings(
        insecure=values.many("insecure-registry"),
        proxies=Proxies.from_environment(session.environment),
    )
    registries = Registries(settings, "boxship")
    return Ends(
        source, destination, Doors(engine, registries, lambda name: credentials_for(session, name))
    )


COMMAND = Command("[OPTIONS] SOURCE DESTINATION", TWO, run, FLAGS, about=ABOUT)
