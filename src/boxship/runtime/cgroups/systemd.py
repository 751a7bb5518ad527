"""Cgroups by way of systemd: a scope, started over D-Bus, as a container's place.

Where systemd runs, the tree of cgroups is its own: it hands a part out as a unit with
``Delegate=yes``. A scope needs a process from the start and goes away with its last one, so a
placeholder is put in, which stays until the container's first process has been born there.
Loaded only for a plan that has a scope.
"""

import contextlib
import errno
import os
import select
import signal
import socket
from collections.abc import Iterable, Iterator
from typing import Any

from boxship.base.frozen import dataclass
from boxship.runtime.blueprint import Scope
from boxship.runtime.cgroups import dbus
from boxship.runtime.cgroups.dbus import Message
from boxship.runtime.cgroups.tree import CgroupError, read_file

_SYSTEM_BUS = "/run/dbus/system_bus_socket"
_SYSTEMD = "org.freedesktop.systemd1"
_MANAGER = "org.freedesktop.systemd1.Manager"
_PATIENCE = 30.0
_ERRORS = {
    "org.freedesktop.systemd1.UnitExists": errno.EEXIST,
    "org.freedesktop.systemd1.NoSuchUnit": errno.ENOENT,
}
_MOMENTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Between attempts to start a unit whose namesake has just ended, in seconds."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """A process that does nothing but be in a scope."""

    pid: int
    _life: int

    def release(self) -> None:
        """End it, by a signal: a container that waits for its start has the pipe open, too."""
        os.kill(self.pid, signal.SIGKILL)
        os.close(self._life)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


class Bus:
    """A connection to a bus: calls, and signals that have come in meanwhile."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket, self._serial, self._data = connection, 0, b""
        self.signals: list[Message] = []
        self._socket.settimeout(_PATIENCE)

    def greet(self) -> None:
        """Say who we are, which the kernel vouches for, and get a name."""
        who = str(os.geteuid()).encode().hex()
        self._socket.sendall(b"\0AUTH EXTERNAL " + who.encode() + b"\r\n")
        answer = b""
        while not answer.endswith(b"\r\n"):
            answer += self._receive()
        if not answer.startswith(b"OK"):
            raise OSError(13, f"the bus does not let us in: {answer.decode('ascii', 'replace')!r}")
        self._socket.sendall(b"BEGIN\r\n")
        bus = "org.freedesktop.DBus"
        self.call(Message(dbus.METHOD_CALL, 0, "/org/freedesktop/DBus", bus, "Hello", bus))

    def call(self, message: Message) -> tuple[Any, ...]:
        """Return what a method returns; raise OSError with the words of an error."""
        self._serial += 1
        serial = self._serial
        sent = Message(
            dbus.METHOD_CALL,
            serial,
            message.path,
            message.interface,
            message.member,
            message.destination,
            signature=message.signature,
            body=message.body,
        )
        self._socket.sendall(dbus.encode(sent))
        while True:
            answer = self.next()
            if answer.kind == dbus.SIGNAL:
                self.signals.append(answer)
            elif answer.reply == serial:
                if answer.kind == dbus.ERROR:
                    words = str(answer.body[0]) if answer.body else answer.error
                    raise OSError(_ERRORS.get(answer.error, errno.EIO), words)
                return answer.body

    def next(self) -> Message:
        """Return the next message."""
        while len(self._data) < (size := dbus.wanted(self._data)):
            self._data += self._receive()
        message = dbus.decode(self._data[:size])
        self._data = self._data[size:]
        return message

    def _receive(self) -> bytes:
        data = self._socket.recv(1 << 16)
        if not data:
            raise OSError(104, "the bus has closed the connection")
        return data


def start_scope(scope: Scope) -> Placeholder:
    """Start the unit with a placeholder inside; raise CgroupError."""
    placeholder = _place_holder()
    try:
        with _connected(f"cannot start the unit {scope.unit}") as bus:
            _start_when_free(bus, scope, placeholder.pid)
    except BaseException:
        placeholder.release()
        raise
    return placeholder


def change_scope(unit: str, properties: Iterable[tuple[str, str, str]]) -> None:
    """Tell systemd of limits that have changed, until the unit ends; raise CgroupError."""
    values = [(name, (kind, _value(kind, text))) for name, kind, text in properties]
    with _connected(f"cannot change the unit {unit}") as bus:
        bus.call(_to_manager("SetUnitProperties", "sba(sv)", (unit, True, values)))


@contextlib.contextmanager
def _connected(what: str) -> Iterator[Bus]:
    """Be on the bus; what goes wrong is a CgroupError that begins with ``what``."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(_bus_path())
            bus = Bus(connection)
            bus.greet()
            yield bus
    except (OSError, ValueError) as error:
        number = error.errno or 0 if isinstance(error, OSError) else 0
        words = getattr(error, "strerror", "") or error
        raise CgroupError(f"{what}: systemd: {words}", number) from error


def stop_scope(unit: str) -> None:
    """End the unit of a container that has ended, and wait for that; raise CgroupError.

    systemd does so itself, but only when it hears of the last process before the cgroup is gone.
    """
    with _connected(f"cannot stop the unit {unit}") as bus:
        _subscribe(bus)
        with contextlib.suppress(FileNotFoundError):
            (job,) = bus.call(_to_manager("StopUnit", "ss", (unit, "replace")))
            _result_of(bus, job)


def _start_when_free(bus: Bus, scope: Scope, pid: int) -> None:
    """Start the unit; one of its name that has ended may be there for a moment."""
    for moment in _MOMENTS:
        try:
            start_unit(bus, scope, pid)
        except FileExistsError:
            # A failed one stays until it is forgotten; of a running one that is no matter.
            with contextlib.suppress(OSError):
                bus.call(_to_manager("ResetFailedUnit", "s", (scope.unit,)))
            select.select((), (), (), moment)
        else:
            return
    start_unit(bus, scope, pid)


def start_unit(bus: Bus, scope: Scope, pid: int) -> None:
    """Ask for the unit with ``pid`` in it and wait until systemd is done; raise OSError."""
    _subscribe(bus)
    properties = [(name, (kind, _value(kind, text))) for name, kind, text in scope.properties]
    properties.append(("PIDs", ("au", [pid])))
    body: tuple[Any, ...] = (scope.unit, "fail", properties, [])
    (job,) = bus.call(_to_manager("StartTransientUnit", "ssa(sv)a(sa(sv))", body))
    result = _result_of(bus, job)
    if result != "done":
        raise OSError(errno.EIO, f"the unit's start ended as {result!r}")


def _subscribe(bus: Bus) -> None:
    """Have systemd tell when jobs have been done."""
    rule = f"type='signal',interface='{_MANAGER}',member='JobRemoved'"
    name = "org.freedesktop.DBus"
    bus.call(
        Message(
            dbus.METHOD_CALL,
            path="/org/freedesktop/DBus",
            interface=name,
            member="AddMatch",
            destination=name,
            signature="s",
            body=(rule,),
        )
    )
    with contextlib.suppress(OSError):  # being subscribed already is an error
        bus.call(_to_manager("Subscribe"))


def _result_of(bus: Bus, job: str) -> str:
    while True:
        message = bus.signals.pop(0) if bus.signals else bus.next()
        if message.member == "JobRemoved" and message.body[1] == job:
            return str(message.body[3])


def _to_manager(member: str, signature: str = "", body: tuple[Any, ...] = ()) -> Message:
    return Message(
        dbus.METHOD_CALL,
        path="/org/freedesktop/systemd1",
        interface=_MANAGER,
        member=member,
        destination=_SYSTEMD,
        signature=signature,
        body=body,
    )


def _value(kind: str, text: str) -> Any:
    if kind == "s":
        return text
    if kind == "as":
        return text.split()
    if kind == "ay":
        return list(bytes.fromhex(text))
    if kind == "a(ss)":
        return list(_device_names(text))
    return text == "true" if kind == "b" else int(text)


def _device_names(lines: str) -> Iterator[tuple[str, str]]:
    """Say ``c 136 * rw`` in systemd's words: a path by number, or a driver's name."""
    for line in lines.splitlines():
        kind, major, minor, access = line.split(" ")
        if minor != "*":
            yield f"/dev/{'char' if kind == 'c' else 'block'}/{major}:{minor}", access
        elif major == "*":
            yield f"{'char' if kind == 'c' else 'block'}-*", access
        # A driver that is not there has no devices to be allowed.
        elif name := _driver_of(kind, major):
            yield f"{'char' if kind == 'c' else 'block'}-{name}", access


def _driver_of(kind: str, major: str) -> str:
    table = read_file("/proc/devices").partition("Block devices:")[2 if kind == "b" else 0]
    rows = (line.split() for line in table.splitlines())
    return next((row[1] for row in rows if len(row) == 2 and row[0] == major), "")


def _bus_path() -> str:
    variable = "DBUS_SYSTEM_BUS_ADDRESS" if os.geteuid() == 0 else "DBUS_SESSION_BUS_ADDRESS"
    for address in os.environ.get(variable, "").split(";"):
        kind, _, rest = address.partition(":")
        options = dict(pair.split("=", 1) for pair in rest.split(",") if "=" in pair)
        if kind == "unix" and "path" in options:
            return options["path"]
    return _SYSTEM_BUS if os.geteuid() == 0 else f"/run/user/{os.geteuid()}/bus"


def _place_holder() -> Placeholder:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(writing)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            os.read(reading, 1)
        finally:
            os._exit(0)
    os.close(reading)
    return Placeholder(pid, writing)
