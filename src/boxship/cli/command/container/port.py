"""``boxship port``."""

from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.format.naturalorder import natural
from boxship.cli.kinds import parse_integer
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import containers
from boxship.client.engine import JsonObject


def run(session: Session, given: Invocation) -> int:
    name, *wanted = given.arguments
    found = containers.inspect(session.client, name)
    published = (found.get("NetworkSettings") or {}).get("Ports") or {}
    if wanted and wanted[0]:
        lines = _one(published, wanted[0])
        if not lines:
            raise ExitError(FAILURE, f"Error: No public port '{wanted[0]}' published for {name}")
    else:
        lines = [
            f"{port} -> {address}" for port in published for address in _addresses(published[port])
        ]
    for line in sorted(lines, key=natural):
        session.say(line)
    return 0


def _one(published: JsonObject, wanted: str) -> list[str]:
    number, _, protocol = wanted.partition("/")
    try:
        parse_integer(number, 16, signed=False)
    except ValueError as error:
        raise ExitError(FAILURE, f"Error: invalid port ({number}): {error}") from error
    return _addresses(published.get(f"{number}/{protocol or 'tcp'}"))


def _addresses(bindings: list[JsonObject] | None) -> list[str]:
    return [_shown(one.get("HostIp", ""), one.get("HostPort", "")) for one in bindings or ()]


def _shown(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


COMMAND = Command("CONTAINER [PRIVATE_PORT[/PROTO]]", Arity(1, 2), run)
