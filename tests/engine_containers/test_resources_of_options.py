"""Limits that few machines can set, as far as the runtime's specification."""

import os
from pathlib import Path

import msgspec
import pytest

from boxship.engine.containers.spec.resources import resources
from boxship.model.container import HostConfig
from boxship.oci import runtime as oci

NUMBERS = (os.major(os.stat("/dev/null").st_rdev), os.minor(os.stat("/dev/null").st_rdev))
THROTTLES = {
    "HostConfig.BlkioDeviceReadBps": "throttle_read_bps_device",
    "HostConfig.BlkioDeviceWriteBps": "throttle_write_bps_device",
    "HostConfig.BlkioDeviceReadIOps": "throttle_read_iops_device",
    "HostConfig.BlkioDeviceWriteIOps": "throttle_write_iops_device",
}


def made_of(text: str) -> oci.Resources:
    return resources(msgspec.json.decode(text, type=HostConfig), ())


@pytest.mark.option(*THROTTLES)
@pytest.mark.parametrize("option", THROTTLES)
def test_throttles(option: str) -> None:
    name = option.removeprefix("HostConfig.")
    block_io = made_of(f'{{"{name}":[{{"Path":"/dev/null","Rate":77}}]}}').block_io
    throttle = oci.ThrottleDevice(*NUMBERS, rate=77)
    assert block_io == oci.BlockIo(**{THROTTLES[option]: (throttle,)})  # type: ignore[arg-type]


@pytest.mark.option("HostConfig.BlkioWeight", "HostConfig.BlkioWeightDevice")
def test_weights() -> None:
    block_io = made_of(
        '{"BlkioWeight":300,"BlkioWeightDevice":[{"Path":"/dev/null","Weight":200}]}'
    ).block_io
    device = oci.WeightDevice(*NUMBERS, weight=200)
    assert block_io == oci.BlockIo(weight=300, weight_device=(device,))


@pytest.mark.option("HostConfig.CpuRealtimePeriod", "HostConfig.CpuRealtimeRuntime")
def test_real_time() -> None:
    made = made_of('{"CpuRealtimePeriod":1000000,"CpuRealtimeRuntime":500000}')
    assert made.cpu == oci.Cpu(realtime_period=1_000_000, realtime_runtime=500_000)


@pytest.mark.option("HostConfig.KernelMemoryTCP")
def test_memory_of_connections() -> None:
    assert made_of('{"KernelMemoryTCP":8388608}').memory == oci.Memory(kernel_tcp=8 << 20)


@pytest.mark.option("HostConfig.NanoCpus")
def test_cpus_are_a_quota() -> None:
    assert made_of('{"NanoCpus":1500000000}').cpu == oci.Cpu(quota=150_000, period=100_000)


@pytest.mark.option("HostConfig.DeviceCgroupRules")
def test_rules_are_added_as_given(tmp_path: Path) -> None:
    added = made_of('{"DeviceCgroupRules":["c 42:* rw"]}').devices
    rule = oci.DeviceRule(allow=True, type="c", major=42, minor=None, access="rw")
    assert [one for one in added if one not in made_of("{}").devices] == [rule]
