"""Every check of a request, in Docker's order, so that the first complaint is Docker's too."""

from boxship.engine.containers.checks import config, limits, modes, options, refusals
from boxship.engine.containers.checks.machine import Machine
from boxship.model.container import ContainerConfig, HostConfig


def check(wanted: ContainerConfig, host: HostConfig, machine: Machine) -> list[str]:
    """Raise what is wrong; return warnings for what will have no effect."""
    config.check(wanted)
    modes.check(wanted, host)
    options.check(host)
    refusals.check(host, machine)
    return limits.check(host, machine) + refusals.without_effect(wanted, host)
