"""``boxship login``.

The daemon checks what is given, because it is the daemon that will pull and push; if none answers,
this process asks the registry itself. What a registry accepted is kept.
"""

import sys

from boxship.base.errors import UnauthorizedError
from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.keychain import HUB_KEY, Keychain, Login, server_key
from boxship.cli.registryauth import keychain
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import registries
from boxship.client.errors import DaemonUnreachableError

FLAGS = (
    Flag("password", "p", kinds.STRING, "Password or access token; others on the machine see it"),
    Flag("password-stdin", "", kinds.BOOL, "Read the password from standard input"),
    Flag("username", "u", kinds.STRING, "Name of the account"),
)

_INSECURE = "WARNING! Using --password via the CLI is insecure. Use --password-stdin."
_UNENCRYPTED = """
WARNING! Your credentials are stored unencrypted in '{path}'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/
"""
_KNOWN = "Authenticating with existing credentials... [Username: {username}]"
_OTHER_ACCOUNT = (
    "\n Info -> To login with a different account, run 'docker logout' followed by "
    "'docker login'\n\n"
)


def run(session: Session, given: Invocation) -> int:
    _check(given)
    server = server_key(given.arguments[0] if given.arguments else "")
    if given.values.changed("password"):
        session.warn(_INSECURE)
    username, password = given.values.text("username"), given.values.text("password")
    if given.values.on("password-stdin"):
        password = sys.stdin.read().rstrip("\r\n")
    kept = keychain(session)
    known = kept.get(server)
    if not username and not password and known.given and _still_good(session, kept, known):
        return 0
    login = _completed(session, Login(server, username, password), known.username)
    _remember(session, kept, _checked(session, login))
    return 0


def _check(given: Invocation) -> None:
    values = given.values
    if values.changed("password") and values.on("password-stdin"):
        raise ExitError(
            FAILURE, "conflicting options: cannot specify both --password and --password-stdin"
        )
    if values.on("password-stdin") and not values.text("username"):
        raise ExitError(FAILURE, "the --password-stdin option requires --username to be set")
    if values.changed("username") and not values.text("username").strip():
        raise ExitError(FAILURE, "username is empty")
    if values.changed("password") and not values.text("password"):
        raise ExitError(FAILURE, "password is empty")


def _still_good(session: Session, kept: Keychain, known: Login) -> bool:
    """Try what is known already; the user is asked only if it isn't accepted any more."""
    session.warn(_KNOWN.format(username=known.username or "<token>"))
    try:
        checked = _checked(session, known)
    except UnauthorizedError as error:
        session.warn(f"Login did not succeed, error: {error}")
        return False
    session.warn(_OTHER_ACCOUNT)
    _remember(session, kept, checked, quietly=True)
    return True


def _completed(session: Session, login: Login, proposal: str) -> Login:
    """Ask the person for what is missing. ExitError if there is none to ask."""
    if login.username and login.password:
        return login
    if not sys.stdin.isatty():
        raise ExitError(FAILURE, "Error: Cannot perform an interactive login from a non TTY device")
    username = login.username or _asked_name(session, login.server, proposal)
    password = login.password or _asked_password(session)
    return login._replace(username=username, password=password)


def _asked_name(session: Session, server: str, proposal: str) -> str:
    if server == HUB_KEY:
        session.say(
            "Log in with your Docker ID or email address to push and pull images from Docker Hub."
        )
    session.out.write(f"Username ({proposal}): " if proposal else "Username: ")
    session.out.flush()
    username = sys.stdin.readline().strip() or proposal
    if not username:
        raise ExitError(FAILURE, "Error: Non-null Username Required")
    return username


def _asked_password(session: Session) -> str:
    from getpass import getpass

    session.out.flush()
    try:
        password = getpass("Password: ", session.out)
    except EOFError:
        password = ""
    if not password:
        raise ExitError(FAILURE, "Error: Password Required")
    return password


def _checked(session: Session, login: Login) -> Login:
    """Have the registry look at it; return what is to be kept."""
    try:
        answer = registries.login(session.client, login.document())
        token = str(answer.get("IdentityToken") or "")
    except DaemonUnreachableError:
        token = _asked_directly(login)
    if not token:
        return login
    return login._replace(password="", identity_token=token)


def _asked_directly(login: Login) -> str:
    from boxship.cli.registryclient import opened
    from boxship.distribution.credentials import Credentials

    shown = Credentials(
        username=login.username, password=login.password, identity_token=login.identity_token
    )
    with opened() as client:
        return client.login("" if login.server == HUB_KEY else login.server, shown).identity_token


def _remember(session: Session, kept: Keychain, login: Login, *, quietly: bool = False) -> None:
    kept.store(login)
    if not quietly and not login.identity_token and kept.is_plain(login.server):
        session.warn(_UNENCRYPTED.format(path=kept.path))
    session.say("Login Succeeded")


COMMAND = Command(
    "[OPTIONS] [SERVER]",
    Arity(0, 1),
    run,
    FLAGS,
    about="SERVER is a registry's host and port; without it, Docker Hub is meant.",
)
