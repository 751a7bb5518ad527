"""``boxship system socket create``: a door for somebody who may not do everything."""

from boxship.cli import kinds
from boxship.cli.exitcodes import MisuseError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import sockets

FLAGS = (
    Flag("allow", "", kinds.LIST, "What can be done, as containers:read,logs or images:*"),
    Flag("group", "", kinds.STRING, "Group that may connect; without it root alone"),
    Flag("label", "l", kinds.LIST, "Only objects with this label, as team=ci, exist for it"),
    Flag("token", "", kinds.BOOL, "Make a token for TLS listeners instead of a socket"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    if not values.many("allow"):
        raise MisuseError("say what is allowed, as --allow containers:read,logs")
    made = sockets.create(
        session.client,
        given.arguments[0],
        allow=values.many("allow"),
        labels=_labels(values.many("label")),
        token=values.on("token"),
        group=values.text("group"),
    )
    session.say(made["Token"] or made["Path"])
    return 0


def _labels(words: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise MisuseError(f"invalid label {word}: it must be name=value")
        labels[name] = value
    return labels


COMMAND = Command(
    "[OPTIONS] NAME",
    ONE,
    run,
    FLAGS,
    about="""\
Prints where the socket is, or the token: nobody can be told that again. What is made through
it carries the labels, and gets no rights on the host. Give a container the socket's directory
(-v DIRECTORY:/run/boxship), since the socket is made anew with each daemon.

A token is sent as "Authorization: Bearer TOKEN", by clients with HttpHeaders in config.json.

Nouns and verbs of --allow:
  containers:  read logs create publish start stop restart update remove attach exec files
  images:      read use pull remove
  networks:    read create connect remove
  volumes:     read create remove
  events:      read
  system:      read""",
)
