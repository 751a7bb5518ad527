"""``boxship system dial-stdio``: the far end of a connection over ssh."""

import os
import selectors

from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client.transport import Connection, connect

_READ = 256 * 1024


def run(session: Session, _given: Invocation) -> int:
    connection = _connected(session)
    try:
        pass_on(connection)
    finally:
        connection.close()
    return 0


def _connected(session: Session) -> Connection:
    if not session.choice.is_default:
        return connect(session.choice.endpoint)
    from boxship.cli.daemonstart import connect_or_start

    return connect_or_start(session.choice.endpoint)


def pass_on(connection: Connection) -> None:
    """Both ways, until the daemon has said everything. The ends of the directions are apart.

    Nothing is held: a side that does not read stops the other, as one connection would.
    """
    daemon = connection.fileno()
    with selectors.DefaultSelector() as waiting:
        waiting.register(0, selectors.EVENT_READ)
        waiting.register(daemon, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in waiting.select(0 if connection.has_input else None)}
            if 0 in ready:
                data = os.read(0, _READ)
                if data:
                    connection.send(data)
                else:
                    connection.close_write()
                    waiting.unregister(0)
            if connection.has_input or daemon in ready:
                data = connection.receive()
                if not data:
                    return
                _write_all(data)


def _write_all(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


COMMAND = Command("", NONE, run, ())
