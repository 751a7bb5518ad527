"""``boxship update``."""

from typing import Any

from boxship.base.errors import BoxshipError, InvalidArgumentError
from boxship.cli import kinds
from boxship.cli.batch import for_each
from boxship.cli.command.container import beyond, settings
from boxship.cli.command.container.flags import CREATE_FLAGS, NETWORK_SPEC, sorted_by_name
from boxship.cli.command.container.request import endpoint_of, restart_policy
from boxship.cli.command.container.settings import Get, Setting
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag, Values
from boxship.cli.session import Session
from boxship.cli.syntax import ports
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import containers, networks

_SETTINGS = (
    Setting("blkio-weight", "BlkioWeight", Get.NUMBER),
    Setting("cpu-period", "CpuPeriod", Get.NUMBER),
    Setting("cpu-quota", "CpuQuota", Get.NUMBER),
    Setting("cpu-rt-period", "CpuRealtimePeriod", Get.NUMBER),
    Setting("cpu-rt-runtime", "CpuRealtimeRuntime", Get.NUMBER),
    Setting("cpu-shares", "CpuShares", Get.NUMBER),
    Setting("cpus", "NanoCpus", Get.NUMBER),
    Setting("cpuset-cpus", "CpusetCpus", Get.TEXT),
    Setting("cpuset-mems", "CpusetMems", Get.TEXT),
    Setting("kernel-memory", "KernelMemory", Get.NUMBER, only_if_given=True),
    Setting("memory", "Memory", Get.NUMBER),
    Setting("memory-reservation", "MemoryReservation", Get.NUMBER),
    Setting("memory-swap", "MemorySwap", Get.NUMBER),
)
_UNCHANGED: dict[str, Any] = {
    "CgroupParent": "",
    "BlkioWeightDevice": None,
    "BlkioDeviceReadBps": None,
    "BlkioDeviceWriteBps": None,
    "BlkioDeviceReadIOps": None,
    "BlkioDeviceWriteIOps": None,
    "Devices": None,
    "DeviceCgroupRules": None,
    "DeviceRequests": None,
    "MemorySwappiness": None,
    "OomKillDisable": None,
    "Ulimits": None,
    "CpuCount": 0,
    "CpuPercent": 0,
    "IOMaximumIOps": 0,
    "IOMaximumBandwidth": 0,
}
"""What Docker's client sends though no flag says it."""

_BEYOND = (
    Flag("egress", "", kinds.LIST, "Where it may connect to from now on, as with run"),
    Flag("network-add", "", NETWORK_SPEC, "Connect it to one more network, as with --network"),
    Flag("network-rm", "", kinds.LIST, "Disconnect it from a network"),
    Flag("publish-add", "", kinds.LIST, "Publish one more port, as --publish does"),
    Flag("publish-rm", "", kinds.LIST, "Publish a port of the host no more: [address:]port"),
)
"""What Docker can't do."""

_RULES = frozenset({"egress", "publish-add", "publish-rm"})
"""Those of them that another daemon would ignore without a word."""

_NAMES = frozenset({row.flag for row in _SETTINGS} | {"pids-limit"})
FLAGS = sorted_by_name(
    tuple(flag for flag in CREATE_FLAGS if flag.name in _NAMES),
    (
        Flag(
            "restart",
            "",
            kinds.STRING,
            "no, on-failure[:n], on-unhealthy[:n], always, unless-stopped",
        ),
    ),
    _BEYOND,
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    if not any(values.changed(flag.name) for flag in FLAGS):
        raise ExitError(FAILURE, "you must provide one or more flags when using this command")
    try:
        body = _body(values)
    except (InvalidArgumentError, ValueError) as error:
        raise ExitError(FAILURE, str(error)) from error
    for flag in sorted(_RULES):
        if values.changed(flag):
            beyond.require(session, f"--{flag}")
    warnings: list[str] = []
    code = for_each(
        session,
        given.arguments,
        lambda name: warnings.extend(_change(session, values, name, body)),
    )
    for warning in warnings:
        session.warn(warning)
    return code


def _change(session: Session, values: Values, name: str, body: dict[str, Any]) -> tuple[str, ...]:
    """Change one container: new networks come first, and go again if the rest is refused."""
    client, connected = session.client, list[str]()
    try:
        for spec in values.many("network-add"):
            networks.connect(client, spec.name, name, endpoint_of(spec))
            connected.append(spec.name)
        others = (flag for flag in FLAGS if not flag.name.startswith("network-"))
        asked = any(values.changed(flag.name) for flag in others)
        warnings = containers.update(client, name, body) if asked else ()
    except BoxshipError:
        for network in reversed(connected):
            networks.disconnect(client, network, name)
        raise
    for network in values.many("network-rm"):
        networks.disconnect(client, network, name)
    return warnings


def _body(values: Values) -> dict[str, Any]:
    no_policy = {"Name": "", "MaximumRetryCount": 0}
    policy = values.text("restart")
    return (
        _UNCHANGED
        | settings.read(values, _SETTINGS)
        | {
            "PidsLimit": values.number("pids-limit") or None,
            "RestartPolicy": restart_policy(policy) if policy else no_policy,
        }
        | _network_changes(values)
    )


def _network_changes(values: Values) -> dict[str, Any]:
    """Raise ValueError for a port that makes no sense."""
    changes: dict[str, Any] = {}
    if values.changed("egress"):
        changes["Egress"] = list(values.many("egress"))
    if values.changed("publish-rm"):
        changes["PublishRemove"] = list(values.many("publish-rm"))
    bindings: dict[str, list[dict[str, Any]]] = {}
    for text in values.many("publish-add"):
        for spec in ports.parse_publish(text):
            bindings.setdefault(spec.port, []).append(spec.binding())
    return changes | ({"PublishAdd": bindings} if bindings else {})


COMMAND = Command("[OPTIONS] CONTAINER [CONTAINER...]", SOME, run, FLAGS)
