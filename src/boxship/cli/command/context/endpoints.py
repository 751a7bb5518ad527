"""What ``--docker`` says: ``host=tcp://server:2376,ca=ca.pem,cert=cert.pem,key=key.pem``."""

from typing import NamedTuple

from boxship.base.errors import BoxshipError, InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.client.contexts import (
    CA,
    CERTIFICATE,
    DEFAULT,
    DOCKER,
    KEY,
    Context,
    ContextStore,
    document_of,
)
from boxship.client.endpoint import TcpEndpoint, choose, parse_host

DESCRIPTION = Flag("description", "", kinds.STRING, "What it is for")
DOCKER_FLAG = Flag("docker", "", kinds.CSV, "The daemon, as host=tcp://server:2376,ca=ca.pem")
ABOUT = """\
--docker takes name=value, separated by commas:
  from              copy the daemon of another context
  host              where it listens: unix:///path, tcp://host:port or ssh://user@host
  ca                trust certificates signed by this CA alone
  cert, key         client certificate and its key
  skip-tls-verify   true: talk to whatever answers"""
DEFAULT_DESCRIPTION = "Current DOCKER_HOST based configuration"
_FILES = {"ca": CA, "cert": CERTIFICATE, "key": KEY}
_KEYS = ("from", "host", *_FILES, "skip-tls-verify")


class Engine(NamedTuple):
    """A daemon as a context has it: the endpoint's document, and its PEM files."""

    endpoint: dict[str, object]
    tls: dict[str, bytes]


def read(words: tuple[str, ...], store: ContextStore, session: Session) -> Engine:
    """Read what was given. InvalidArgumentError names what is wrong with it."""
    try:
        return _read(dict(_pair(word) for word in words), store, session)
    except (BoxshipError, OSError) as error:
        reason = str(error)
        if isinstance(error, OSError) and error.strerror:
            reason = f"open {error.filename}: {error.strerror.lower()}"
        message = f"unable to create docker endpoint config: {reason}"
        raise InvalidArgumentError(message) from error


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise InvalidArgumentError(f"{word} must be formatted as key=value")
    if name not in _KEYS:
        raise InvalidArgumentError(f"unrecognized config key: {name}")
    return name, value


def _read(given: dict[str, str], store: ContextStore, session: Session) -> Engine:
    if "from" in given:
        other = default(session) if given["from"] == DEFAULT else store.find(given["from"])
        return Engine(dict(other.endpoint), store.tls_data(other).get(DOCKER, {}))
    host = given.get("host", "")
    if not host:
        raise InvalidArgumentError("there is no host: say host=tcp://server:2376")
    parse_host(host)
    tls = {}
    for name, file in _FILES.items():
        if given.get(name):
            with open(given[name], "rb") as opened:
                tls[file] = opened.read()
    _check_tls(given, tls)
    skips = given.get("skip-tls-verify", "false")
    try:
        return Engine({"Host": host, "SkipTLSVerify": kinds.parse_bool(skips)}, tls)
    except ValueError as error:
        raise InvalidArgumentError(f"skip-tls-verify: {error}") from error


def _check_tls(given: dict[str, str], tls: dict[str, bytes]) -> None:
    """Raise InvalidArgumentError for files that no connection could be made with."""
    if not tls:
        return
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    what = "invalid docker endpoint options: failed to retrieve context tls info: "
    try:
        if CA in tls:
            context.load_verify_locations(given["ca"])
    except ssl.SSLError as error:
        raise InvalidArgumentError(f"{what}ca.pem seems invalid") from error
    try:
        if CERTIFICATE in tls and KEY in tls:
            context.load_cert_chain(given["cert"], given["key"], password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise InvalidArgumentError(f"{what}{CERTIFICATE} and {KEY}: {error}") from error


def _no_password() -> str:
    raise ValueError("the key is encrypted; a context has no place for its password")


def default(session: Session) -> Context:
    """Return the context that there would be without contexts; its keys are in no store."""
    target = session.target
    endpoint = choose(target.host, target.tls, session.environment).endpoint
    tls = endpoint.tls if isinstance(endpoint, TcpEndpoint) else None
    skips = tls is not None and not tls.verify
    return Context(DEFAULT, document_of(DEFAULT, str(endpoint), skip_verify=skips))


def find(name: str, store: ContextStore, session: Session) -> Context:
    """Return a context of the store, or the default one. NotFoundError: there is none."""
    return default(session) if name == DEFAULT else store.find(name)
