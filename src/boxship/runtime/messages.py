"""The control protocol between daemon and shim: its messages.

``control_codec.py`` beside it turns them into bytes and back. They travel over a stream socket:
first over the socketpair that the daemon passed through the launcher, later over connections to
``shim.sock``. Any number of connections may be open at once; each gets its own replies, and all
of them get every event.

A message on the wire::

    ┌─────────────┬──────────┬─────────┬─────────┬────┬──────────────────────┐
    │ length: u32 │ seq: u32 │ kind: u8│ fds: u8 │ 00 │ body: JSON, UTF-8    │   big endian
    └─────────────┴──────────┴─────────┴─────────┴────┴──────────────────────┘
      ^ "fds" descriptors ride with SCM_RIGHTS on this first byte

The kernel never joins two sets of descriptors in one ``recvmsg``, but may join the bytes around
them. Therefore the decoder keeps arrived descriptors in a queue, and each message takes as many
as it announces: right for every way the bytes may be split.

A container's life::

    daemon                                            shim
      │ start{plan, stdio, log, attachments} + fds      │
      │────────────────────────────────────────────────►│ fork, plan, exec
      │◄────────────────────────────────────────────────│ started{pid, started_ns, timings}
      │                                                 │   or failed{…}, then end of stream
      │ exec{exec_id, plan, stdio, attachments} + fds   │
      │────────────────────────────────────────────────►│
      │◄────────────────────────────────────────────────│ started  or  failed
      │◄─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ │ exec-exited{exec_id, exit_code}
      │ attach{process, attachment, hold} + fd          │
      │────────────────────────────────────────────────►│
      │◄────────────────────────────────────────────────│ attached{attachment, log}
      │ resize, signal                                  │
      │────────────────────────────────────────────────►│
      │◄────────────────────────────────────────────────│ done  or  failed
      │◄─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ │ exited{exit_code, oom_killed, …}
      │ release                                         │   (its log is complete by now)
      │────────────────────────────────────────────────►│ removes its directory
      │◄────────────────────────────────────────────────│ released, then end of stream

Requests carry a ``seq`` above 0 and are answered by exactly one reply with the same ``seq``;
events (dashed) have ``seq`` 0. Replies come in the order of the requests of one connection, except
that an exec's may come later: nothing waits for a process that is on its way. Events may come in
between, also ``exited`` right behind ``started``.
A connection that breaks the rules is closed; the container does not notice.

A shim lives as long as its container, and meets the daemons of later versions. Therefore kinds are
only ever added, behind the others; a new field has a default, which means what was done before;
and a new kind of request is sent only to a shim whose ``state`` tells a ``protocol`` that has it.

Replay without gap or duplicate (``attach`` with history)::

    attach{hold: true} ─►        from here on the shim queues the live stream for this client and
                                 writes nothing to it
    ◄─ attached{log: (inode, offset)}
    the daemon itself copies the log file up to that place to the client's connection
    resume{attachment} ─►        the shim releases the queue and goes on live

The queued stream begins exactly behind the last log entry before ``offset``: a line whose end had
not arrived yet is put in front of the queue. While an attachment is held the container can print
1 MiB; then its writes wait, as with any slow client. Rotation renames files but never changes
them: open the log and its rotated predecessors right after ``attached`` and find the inode.

The shim's directory ``<exec-root>/c/<container id>/`` (mode 0700)::

    shim.sock    where a new daemon connects
    shim.pid     "<pid> <start time in ticks, /proc/PID/stat field 22>\\n"
    exit.json    written atomically when the container has ended, before ``exited`` is sent:
                 {"exit_code": …, "oom_killed": …, "finished_ns": …, "error": "", "signal": …,
                 "memory_peak": …, "memory_limit": …}
    oci/         with another runtime only; drawn in foreign/container.py

After ``release`` the shim removes all of them and the directory; the container may be started
again once ``released`` has arrived. Without a daemon the shim leaves ``exit.json`` behind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

INIT: Final = ""
"""The ``process`` that means the container's init; anything else is an exec id."""

RUNTIME: Final = "runtime"
"""The step of a ``Failed`` whose message is that of another runtime, in full."""
USER: Final = "user"
"""The step that looks for the user and the groups that a process is to have."""

PROTOCOL: Final = 3
"""Raised with each new kind of request. Shims live on under newer daemons, which must not send them
what they don't know: a shim hangs up on it. From 3 on, they begin a log anew that was removed."""

Json: TypeAlias = dict[str, Any]

# ── parts of messages ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Stdio:
    """What a process gets as standard streams."""

    tty: bool = False
    open_stdin: bool = False
    """Otherwise stdin is /dev/null (or a terminal that nobody types into)."""
    stdin_once: bool = False
    """Without a terminal: close stdin when the first attached client has ended its input."""
    height: int = 0
    width: int = 0
    """The terminal's first size; 0 leaves it to the kernel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFacts:
    """What a log driver tells of the container beside its output."""

    container_id: str = ""
    container_name: str = ""
    """Without a slash."""
    image_id: str = ""
    """With its algorithm, ``sha256:…``."""
    image_name: str = ""
    """As the container was asked for."""
    command: str = ""
    """Entry point and arguments, joined by blanks."""
    created_ns: int = 0
    daemon_name: str = "docker"
    attributes: dict[str, str] = field(default_factory=dict)
    """Labels and variables that the options ``labels``, ``env`` and their like have chosen."""
    tag: str = ""
    """The option ``tag`` or the driver's default, filled in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTarget:
    """Where output is sent by a log driver that does not write the container's own file."""

    driver: str
    """``syslog``, ``fluentd`` …, or the name of a plugin."""
    options: dict[str, str] = field(default_factory=dict)
    """The driver's own, checked, as the client wrote them."""
    facts: LogFacts = field(default_factory=LogFacts)
    blocking: bool = True
    """Whether the container waits when the target does not keep up; else entries are lost."""
    environment: dict[str, str] = field(default_factory=dict)
    """The daemon's variables that the driver looks at: whose it is, and the way out."""
    address: str = ""
    """Where a plugin listens."""
    directory: str = ""
    """A directory of the container's own for what has to do with its run; for a plugin's pipe."""
    seen_directory: str = ""
    """The same as the plugin sees it, if that is another path."""
    buffer_size: int = 1_000_000
    """Bytes of output that may wait for the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """Where the container's output is kept; ``path`` empty means nowhere."""

    path: str = ""
    max_size: int = 10_000_000
    """Bytes after which the file is rotated; negative: never."""
    max_file: int = 3
    """How many files are kept, the current one included."""
    attributes: str = ""
    """A JSON object, as text, put into every entry as ``attrs``; empty for none."""
    form: str = "json-file"
    """How entries stand in the file: ``json-file`` or ``local``."""
    compress: bool = False
    """Whether files are compressed when they are rotated."""
    target: LogTarget | None = None
    """Where the output is sent besides."""
    losses: str = ""
    """The file that counts lines which were lost (``logs/losses.py``); empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """What one client connection (the descriptor beside the message) takes part in."""

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    framed: bool = False
    """Put output into stdcopy frames; raw bytes otherwise (always raw with a terminal)."""
    detach_keys: bytes = b""
    """The parsed key sequence (``detachkeys.parse``); looked for with a terminal only."""
    prefix: bytes = b""
    """Input of the client that was already read together with its request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPosition:
    """A place in the log: everything before it was logged before the attachment began."""

    inode: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTiming:
    """When a step of starting a process began and ended, in ns of CLOCK_MONOTONIC."""

    step: str
    started: int
    ended: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecState:
    """An exec as ``state`` tells it; ``exit_code`` is meaningless while it runs."""

    exec_id: str
    pid: int
    running: bool
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a container ended; also the contents of ``exit.json``."""

    exit_code: int
    oom_killed: bool
    finished_ns: int
    error: str = ""
    signal: int = 0
    """What killed its first process; 0 if that ended by itself, with whatever code."""
    memory_peak: int = 0
    """The most it has used, and its limit (0: none), in bytes, if it was ``oom_killed``."""
    memory_limit: int = 0


# ── requests: daemon to shim ─────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start the container. One descriptor per attachment, in order. → Started, Failed."""

    container_id: str
    directory: str
    """The shim's directory, made if missing."""
    plan: Json
    stdio: Stdio = field(default_factory=Stdio)
    log: LogConfig = field(default_factory=LogConfig)
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """Start another process in the container. Descriptors as with Start. → Started, Failed."""

    exec_id: str
    plan: Json
    stdio: Stdio = field(default_factory=Stdio)
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attach:
    """Give a client connection (one descriptor) to a running process. → Attached, Failed."""

    attachment: Attachment
    process: str = INIT
    hold: bool = False
    """Queue the live stream until Resume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Release a held attachment. → Done, Failed."""

    attachment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resize:
    """Set the size of a process's terminal. → Done, Failed."""

    height: int
    width: int
    process: str = INIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Send a signal to a process, or to every process of the container. → Done, Failed."""

    signal: int
    process: str = INIT
    everyone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StateQuery:
    """Ask for everything a new daemon needs to know. → State."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The daemon has recorded the exit; the shim may go. → Released, Failed while it runs."""


# ── replies: shim to daemon ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The process has been executed."""

    pid: int
    """As the host sees it."""
    started_ns: int
    timings: tuple[StepTiming, ...] = ()
    """What ``--trace`` shows."""
    warnings: tuple[str, ...] = ()
    """What had to be left out, in words for a person."""
    attachments: tuple[int, ...] = ()
    """The numbers that the request's attachments got, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The request was not carried out.

    ``exit_code`` is what a shell would say for a command that cannot be executed (126, 127),
    128 for a container that could not be built, 0 where no process was to be started.
    """

    step: str
    message: str
    errno: int = 0
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """The shim owns the client's connection now; the daemon closes its own copy after this."""

    attachment: int
    log: LogPosition = field(default_factory=LogPosition)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Carried out; there is nothing to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything a new daemon needs to know.

    ``execs`` holds the running ones, and those that ended while no daemon was connected; the
    latter are told once.
    """

    container_id: str
    status: str
    """``idle`` (nothing started yet), ``running`` or ``exited``."""
    pid: int
    started_ns: int
    execs: tuple[ExecState, ...] = ()
    exit: Exit | None = None
    lost_log_lines: int = 0
    """Lines that could not be written to the log, because the disk was full for instance."""
    log_waits: bool = False
    """The container can't write just now: the log's target does not keep up."""
    log_trouble: str = ""
    """Why the target takes nothing, while that lasts."""
    attachments: int = 0
    protocol: int = 1
    """Which requests the shim knows; one of before ``PROTOCOL`` existed doesn't say, and has 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The shim's directory is gone; the container may be started again."""


# ── events: shim to daemon ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecExited:
    """An exec ended and its output has been read to the end."""

    exec_id: str
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Detached:
    """A client left a process that goes on, by its detach keys (``keys``) or otherwise."""

    attachment: int
    process: str
    keys: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """The container ended; its log is complete and ``exit.json`` written."""

    exit: Exit


Message: TypeAlias = (
    Start | Exec | Attach | Resume | Resize | Signal | StateQuery | Release
    | Started | Failed | Attached | Done | State | Released
    | ExecExited | Detached | Exited
)  # fmt: skip
