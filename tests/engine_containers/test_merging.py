"""What a container gets from its image and from the daemon."""

import msgspec
import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers import defaults, merging
from boxship.engine.settings import EngineSettings
from boxship.model.container import ContainerConfig, HealthConfig, HostConfig, LogConfig, Ulimit
from boxship.oci.image import Healthcheck, ImageConfig

IMAGE = ImageConfig(
    env=("PATH=/bin", "A=image"),
    cmd=("serve",),
    entrypoint=("/run",),
    working_dir="/srv",
    user="app",
    labels={"a": "image", "b": "image"},
    stop_signal="SIGINT",
    healthcheck=Healthcheck(test=("CMD", "probe"), interval=5, retries=2),
)


def command(config: ContainerConfig, image: ImageConfig = IMAGE) -> tuple[str, ...]:
    return merging.command(merging.merge(config, image))


def test_an_empty_request_is_all_the_images() -> None:
    merged = merging.merge(ContainerConfig(), IMAGE)
    assert merging.command(merged) == ("/run", "serve")
    assert (merged.working_dir, merged.user, merged.stop_signal) == ("/srv", "app", "SIGINT")
    assert merged.env == ("PATH=/bin", "A=image")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (ContainerConfig(cmd=("x",)), ("/run", "x")),
        (ContainerConfig(entrypoint=("/my",)), ("/my",)),
        (ContainerConfig(entrypoint=("/my",), cmd=("x",)), ("/my", "x")),
        (ContainerConfig(entrypoint=("",), cmd=("x",)), ("x",)),
        (ContainerConfig(entrypoint=(), cmd=("x",)), ("x",)),
    ],
)
def test_commands(config: ContainerConfig, expected: tuple[str, ...]) -> None:
    assert command(config) == expected


def test_no_command_at_all() -> None:
    with pytest.raises(InvalidArgumentError, match="no command specified"):
        command(ContainerConfig(), ImageConfig())


@pytest.mark.option("Labels")
def test_environment_and_labels_are_merged_by_name() -> None:
    merged = merging.merge(ContainerConfig(env=("A=mine", "B"), labels={"a": "mine"}), IMAGE)
    assert merged.env == ("A=mine", "B", "PATH=/bin")
    assert merged.labels == {"a": "mine", "b": "image"}


def test_health_is_merged_field_by_field() -> None:
    merged = merging.merge(ContainerConfig(healthcheck=HealthConfig(retries=9)), IMAGE)
    assert merged.healthcheck == HealthConfig(test=("CMD", "probe"), interval=5, retries=9)


def fill(host: HostConfig, settings: EngineSettings | None = None, v2: bool = True) -> HostConfig:
    return defaults.fill(host, settings or EngineSettings(), unified_cgroups=v2, runtime="boxship")


def test_defaults_are_what_dockers_inspect_shows() -> None:
    filled = fill(HostConfig(network_mode="default"), v2=False)
    assert filled.network_mode == "bridge"
    assert (filled.ipc_mode, filled.cgroupns_mode, filled.shm_size) == ("private", "host", 2**26)
    assert filled.log_config == LogConfig(type="json-file", config={})
    assert filled.restart_policy.name == "no"
    assert "/proc/kcore" in (filled.masked_paths or ())
    assert filled.readonly_paths == (
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
    )  # fmt: skip


def test_cgroup_namespaces() -> None:
    assert fill(HostConfig()).cgroupns_mode == "private"
    assert fill(HostConfig(privileged=True)).cgroupns_mode == "host"
    assert fill(HostConfig(cgroupns_mode="host")).cgroupns_mode == "host"
    told = EngineSettings(cgroup_namespace_mode="private")
    assert fill(HostConfig(), told, v2=False).cgroupns_mode == "private"


def test_privileged_masks_nothing_and_an_empty_list_is_respected() -> None:
    assert fill(HostConfig(privileged=True)).masked_paths is None
    assert fill(HostConfig(masked_paths=())).masked_paths == ()


def test_swap_is_twice_the_memory_unless_said() -> None:
    assert fill(HostConfig(memory=100)).memory_swap == 200
    assert fill(HostConfig(memory=100, memory_swap=-1)).memory_swap == -1
    assert fill(HostConfig(memory=100, memory_swap=150)).memory_swap == 150


def test_the_daemons_ulimits_and_log_options_fill_the_gaps() -> None:
    settings = EngineSettings(
        default_ulimits=(Ulimit("nofile", 10, 10), Ulimit("core", 0, 0)),
        log_config=LogConfig("json-file", {"max-size": "1m", "max-file": "2"}),
    )
    host = HostConfig(
        ulimits=(Ulimit("nofile", 99, 99),), log_config=LogConfig("", {"max-size": "5m"})
    )
    filled = fill(host, settings)
    assert filled.ulimits == (Ulimit("nofile", 99, 99), Ulimit("core", 0, 0))
    assert filled.log_config == LogConfig("json-file", {"max-size": "5m", "max-file": "2"})
    none = fill(msgspec.structs.replace(host, log_config=LogConfig("none")), settings)
    assert none.log_config == LogConfig("none", {})
