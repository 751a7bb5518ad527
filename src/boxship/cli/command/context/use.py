"""``boxship context use``: Docker's client follows, since it reads the same file."""

from boxship.cli.session import Session
from boxship.cli.target import overriding
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client.contexts import DEFAULT, ContextStore, check_name


def run(session: Session, given: Invocation) -> int:
    name = given.arguments[0]
    if name != DEFAULT:
        check_name(name)
        ContextStore(session.config_directory).find(name)
    choose(session, name)
    session.say(name)
    session.warn(f'Current context is now "{name}"')
    variable = overriding(session.environment)
    if variable and name != DEFAULT:
        session.warn(
            f"Warning: {variable} environment variable overrides the active context. To use "
            f'"{name}", either set the global --context flag, or unset {variable} environment '
            "variable."
        )
    return 0


def choose(session: Session, name: str) -> None:
    """Write down the context that holds from now on."""
    from boxship.cli.configdocument import change

    def choice(document: dict[str, object]) -> None:
        if name == DEFAULT:
            document.pop("currentContext", None)
        else:
            document["currentContext"] = name

    change(session.config_path, choice)


COMMAND = Command("CONTEXT", ONE, run)
