"""``boxshipd``: read the configuration, own the directories, open the sockets, serve, stop.

::

    configuration ─► locks, pid file ─► sockets ─► engine (recovery) ─► serve ─► READY
    SIGTERM, SIGINT: no new connections ─► containers stop ─► answers end ─► engine closes
    SIGUSR2: the same, but containers run on, for the daemon that comes next
    SIGHUP: read the configuration again, take over what can be changed
    SIGUSR1: write to the run directory where each thread and task stands

A second SIGTERM or SIGINT ends the process at once: the shims and the records are made for that.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any

from boxship import __version__
from boxship.base.errors import BoxshipError, InvalidArgumentError
from boxship.daemon import logs
from boxship.daemon.config import DaemonConfig, load_config
from boxship.daemon.listeners import Listener, open_listeners
from boxship.daemon.options import usage
from boxship.daemon.ownership import owned, pid_file

log = logging.getLogger(__name__)

_SUCCEED = signal.SIGUSR2
"""Asks to make room for another daemon on the same root, as that of a later version: whether
containers run on is then not a question of the configuration."""

_SWITCH_INTERVAL = 0.0005
"""Seconds a thread may go on computing while others wait. By default it is ten times that, which
everybody who looks up a name or asks the API would feel whenever the daemon has something to
compute."""


def main() -> None:
    """Entry point of ``boxshipd``."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the daemon to its end; return the exit code."""
    try:
        config = load_config(arguments)
    except InvalidArgumentError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if config.flag("help"):
        sys.stdout.write(usage())
        return 0
    if config.flag("version"):
        sys.stdout.write(f"boxshipd version {__version__}\n")
        return 0
    if config.flag("validate"):
        return _validate(config)
    logs.set_up(config.log_level, config.text("log-format"))
    sys.setswitchinterval(_SWITCH_INTERVAL)
    try:
        if config.text("restore-records"):
            _restore_records(config)
        else:
            _serve(arguments, config)
    except (BoxshipError, OSError) as error:
        log.critical("failed to start daemon: %s", error)
        return 1
    return 0


def _validate(config: DaemonConfig) -> int:
    from boxship.daemon.validating import validate  # noqa: PLC0415 - a start needn't wait for it

    try:
        validate(config)
    except BoxshipError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write("configuration OK\n")
    return 0


def _restore_records(config: DaemonConfig) -> None:
    from boxship.engine.engine import DATABASE  # noqa: PLC0415
    from boxship.engine.records.restoring import SNAPSHOT  # noqa: PLC0415
    from boxship.engine.records.snapshots import restore_snapshot  # noqa: PLC0415

    root = config.text("data-root")
    with owned(root):
        path = os.path.join(root, DATABASE)
        restore_snapshot(path, config.text("restore-records"))
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + SNAPSHOT)  # a copy of what was given up mends nothing here
    log.info("records restored from %s", config.text("restore-records"))


def _serve(arguments: list[str], config: DaemonConfig) -> None:
    os.umask(0o022)
    if place := os.environ.get("DOCKER_TMPDIR"):  # of what needn't be beside the data
        os.makedirs(place, 0o700, exist_ok=True)
        os.environ["TMPDIR"] = place
    with ExitStack() as stack:
        for name in dict.fromkeys((config.text("data-root"), config.text("exec-root"))):
            stack.enter_context(owned(name))
        stack.enter_context(pid_file(config.text("pidfile")))
        # Before the engine: clients that connect while it recovers wait, and aren't refused.
        listeners = open_listeners(config)
        for listener in listeners:
            stack.callback(listener.remove)
        _tell(config)
        _run_loop(_daemon(arguments, config, listeners))


def _tell(config: DaemonConfig) -> None:
    for name, why in sorted(config.without_effect.items()):
        log.info("%s has no effect: %s", name, why)
    for name in config.unknown_variables:
        log.warning("no option has the environment variable %s", name)


async def _daemon(arguments: list[str], config: DaemonConfig, listeners: list[Listener]) -> None:
    from boxship.daemon.wiring import Daemon  # noqa: PLC0415 - --help and --version stay quick

    daemon = await Daemon.start(config, listeners)
    asked: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()
    _on_signals(asked, lambda: daemon.reload(arguments), daemon.write_stacks)
    await daemon.stop(leave_containers=await asked is _SUCCEED)


def _on_signals(
    stop: asyncio.Future[signal.Signals],
    reload: Callable[[], None],
    write_stacks: Callable[[], None],
) -> None:
    loop = asyncio.get_running_loop()

    def asked(number: signal.Signals) -> None:
        if stop.done():
            log.warning("%s again: leaving at once", number.name)
            os._exit(1)
        log.info("%s: stopping", number.name)
        stop.set_result(number)

    for number in (signal.SIGTERM, signal.SIGINT, _SUCCEED):
        loop.add_signal_handler(number, asked, number)
    loop.add_signal_handler(signal.SIGHUP, reload)
    loop.add_signal_handler(signal.SIGUSR1, write_stacks)
    # A peer that closes its end is an error of one write, not of the daemon.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def _run_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(coroutine)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's where it is installed: half the time per request for 1.5 MB."""
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return None
    return uvloop.new_event_loop
