"""Whether a log driver that sends output elsewhere can be had, before a container relies on it.

As with Docker, a target that can't be reached keeps a container from starting; later it doesn't
matter to the container, whose shim has a process that tries again (``runtime/logs/sender.py``).
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from boxship.base.errors import BoxshipError, InternalError, InvalidArgumentError, NotFoundError
from boxship.engine.containers.context import Context
from boxship.engine.containers.logconfig import shim_log_config
from boxship.engine.containers.logdrivers import names
from boxship.engine.containers.record import ContainerRecord
from boxship.runtime.messages import LogConfig, LogTarget

if TYPE_CHECKING:
    from boxship.engine.plugins.provider import Provider

_PIPES = "/run/docker/logging"
"""Where managed plugins look for pipes."""

_LONGEST_OPENING: Final = 30.0
"""Seconds that a start waits for its log's target."""


async def check_plugin(context: Context, driver: str) -> None:
    """See that there is such a driver, which may be a plugin. InvalidArgumentError."""
    if driver and driver not in names.KNOWN:
        try:
            await _provider(context, driver)
        except NotFoundError as error:
            message = f"error looking up logging plugin {driver}: {error}"
            raise InvalidArgumentError(message) from None


async def prepared(
    context: Context, record: ContainerRecord, *, unattended: bool = False
) -> LogConfig:
    """Return what the container's shim is told of its log. InternalError: the target is down.

    An ``unattended`` start is not kept from anything by that: nobody is there to start it later,
    and the target may be a container that comes up only now. Docker would leave it stopped.
    """
    config = shim_log_config(record, context.paths)
    if config.target is None:
        return config
    try:
        if config.target.driver not in names.KNOWN:
            config = replace(config, target=await _of_plugin(context, config.target))
        if config.target is not None and not unattended:
            await try_target(config.target)
    except (BoxshipError, OSError) as error:
        raise InternalError(f"failed to initialize logging driver: {error}") from error
    return config


async def _of_plugin(context: Context, target: LogTarget) -> LogTarget:
    """Return the target with where its plugin listens, and where both see its pipe."""
    provider = await _provider(context, target.driver)
    directory, seen = target.directory, ""
    if provider.managed:  # it sees a file system of its own, in which the sender trusts no link
        directory, seen = str(provider.host_path(_PIPES)), _PIPES
    else:
        os.makedirs(directory, 0o700, exist_ok=True)
    address = str(provider.client.endpoint)
    return replace(target, address=address, directory=directory, seen_directory=seen)


async def _provider(context: Context, driver: str) -> "Provider":
    from boxship.plugin.capability import Capability

    return await context.plugins().provider(Capability.LOG, driver)


async def try_target(target: LogTarget, seconds: float = _LONGEST_OPENING) -> None:
    """Open the driver once, as the sender will. OSError, which says why it can't be.

    Each step of a driver has its time limit, but a target may answer byte by byte; the container
    is locked meanwhile.
    """
    from boxship.runtime.logs.driver import DeliveryError, open_driver

    def open_once() -> None:
        try:
            open_driver(target).close()
        except DeliveryError as error:
            raise OSError(str(error)) from error

    try:
        await asyncio.wait_for(_in_thread(open_once), seconds)
    except TimeoutError:
        raise OSError(f"the target has not answered for {seconds:.0f} s") from None


async def _in_thread(work: Callable[[], None]) -> None:
    """Do it in a thread of its own: a target that does not answer holds up nobody else."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def body() -> None:
        failed: BaseException | None = None
        try:
            work()
        except Exception as error:  # noqa: BLE001 - it is the waiting task's
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(tell, failed)

    threading.Thread(target=body, name="log-target", daemon=True).start()
    await done
