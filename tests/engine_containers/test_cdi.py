"""Devices described in files: what is read, which wins, what becomes of a runtime spec."""

import json
from pathlib import Path
from typing import Any

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.cdi import documents
from boxship.engine.containers.cdi.edits import inject
from boxship.engine.containers.cdi.registry import Registry, look
from boxship.engine.containers.cdi.requests import names_of
from boxship.model.container import DeviceRequest
from boxship.oci.runtime import Device, DeviceRule, Hook, IntelRdt, Mount, NetDevice, Process, Spec

ENV = {"env": ["A=1"]}


def document(
    *names: str, version: str = "1.1.0", kind: str = "vendor.com/class", **edits: Any
) -> dict[str, Any]:
    devices = [{"name": name, "containerEdits": edits or ENV} for name in names or ("a",)]
    return {"cdiVersion": version, "kind": kind, "devices": devices}


def write(place: Path, name: str, content: object) -> str:
    place.mkdir(exist_ok=True)
    path = place / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_later_directories_win_and_within_one_nobody_does(tmp_path: Path) -> None:
    low, high = tmp_path / "low", tmp_path / "high"
    write(low, "a.json", document("a", "b", "c"))
    write(high, "a.json", document("a", "b"))
    last = write(high, "b.json", document("b"))
    write(high, "b.txt", document("d"))
    found = look((str(low), str(tmp_path / "none"), str(high)))
    assert sorted(found.devices) == ["vendor.com/class=a", "vendor.com/class=c"]
    assert found.devices["vendor.com/class=a"].path == f"{high}/a.json"
    assert list(found.problems) == [last]
    assert 'conflicting device "vendor.com/class=b"' in found.problems[last]


WRONG = [
    ("{", "data was truncated"),
    ([], "Expected `object`, got `array`"),
    (document(version="0.2.0"), 'invalid version "0.2.0"'),
    (document(kind="vendor.com"), 'kind: "vendor.com" is not vendor/class'),
    (document("-a"), 'devices: "-a" is not a name'),
    (document("a", "a"), 'devices: "a" is there twice'),
    ({**document(), "devices": []}, "devices: there are none"),
    (document(env=[]), 'devices: "a" has no edits'),
    (document(env=["A"]), 'devices.a.containerEdits.env: "A" is not NAME=value'),
    (document(enw=["A=1"]), "Object contains unknown field `enw`"),
    (document(deviceNodes=[{"path": "/x", "type": "x"}]), 'type "x" is none of b, c, u, p'),
    (document(deviceNodes=[{"path": "/x", "permissions": "x"}]), "are not among rwm"),
    (document(hooks=[{"hookName": "x", "path": "/x"}]), 'hookName "x" is none of'),
    (document(hooks=[{"hookName": "poststop", "path": "x"}]), 'path: "x" is not absolute'),
    (document(mounts=[{"hostPath": "", "containerPath": "/x"}]), "are both needed"),
    (document(intelRdt={"closID": "a/b"}), 'closID: "a/b" is not a name'),
    (document("1", version="0.4.0"), "the spec version must be at least v0.5.0"),
    (document(kind="v.com/a.b", version="0.5.0"), "must be at least v0.6.0"),
    (document(version="0.6.0", additionalGids=[5]), "must be at least v0.7.0"),
    (
        document(version="1.0.0", netDevices=[{"hostInterfaceName": "eth1"}]),
        "must be at least v1.1.0",
    ),
    (
        document(version="0.3.0", mounts=[{"hostPath": "/x", "containerPath": "/x", "type": "y"}]),
        "must be at least v0.4.0",
    ),
]


@pytest.mark.parametrize(("content", "problem"), WRONG)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, content: object, problem: str) -> None:
    path = write(tmp_path, "a.json", content)
    found = look((str(tmp_path),))
    assert found.devices == {}
    assert problem in found.problems[path]


def test_yaml(tmp_path: Path) -> None:
    pytest.importorskip("yaml", reason="PyYAML is not installed")
    text = "cdiVersion: 0.6.0\nkind: nvidia.com/gpu\ndevices:\n- name: '0'\n"
    write(tmp_path, "a.yaml", text + "  containerEdits: {env: [A=b]}\n")
    assert list(look((str(tmp_path),)).devices) == ["nvidia.com/gpu=0"]
    for wrong in ("a: [", "a: 2001-99-99"):
        bad = write(tmp_path, "a.yaml", wrong)
        assert look((str(tmp_path),)).problems[bad].startswith("YAML: ")


def edited(tmp_path: Path, *names: str, spec: Spec | None = None, **edits: Any) -> Spec:
    common = {"env": ["ALL=yes"]}
    write(tmp_path, "a.json", {**document("a", "b", **edits), "containerEdits": common})
    registry = look((str(tmp_path),))
    assert registry.problems == {}
    start = spec or Spec("1.2.0", Process(args=("x",), cwd="/", env=("A=old", "B=2")))
    asked = tuple(f"vendor.com/class={name}" for name in names or ("a",))
    return inject(start, registry.resolve(asked))


def test_variables_take_the_place_of_old_ones(tmp_path: Path) -> None:
    process = edited(tmp_path, "a", "b", env=["A=new"]).process
    assert process is not None
    assert process.env == ("B=2", "ALL=yes", "A=new")


def test_nodes_are_taken_from_the_host_and_allowed(tmp_path: Path) -> None:
    nodes = [
        {"path": "/dev/n", "hostPath": "/dev/null", "permissions": "r", "fileMode": 0o600},
        {"path": "/dev/b", "type": "b", "major": 7, "minor": 9, "uid": 5},
        {"path": "/dev/q", "type": "c", "major": 1, "minor": 9, "permissions": "none"},
    ]
    linux = edited(tmp_path, deviceNodes=nodes).linux
    assert linux.devices == (
        Device("/dev/n", "c", 1, 3, 0o600),
        Device("/dev/b", "b", 7, 9, None, uid=5),
        Device("/dev/q", "c", 1, 9),
    )
    assert linux.resources.devices == (
        DeviceRule(True, "c", 1, 3, "r"),
        DeviceRule(True, "b", 7, 9, "rwm"),
    )


@pytest.mark.parametrize("path", ["/dev/no-such", "/etc"])
def test_a_node_that_the_host_has_not(tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"CDI device injection failed: .*{path}"):
        edited(tmp_path, deviceNodes=[{"path": path}])


def test_mounts_groups_hooks_interfaces_and_caches(tmp_path: Path) -> None:
    spec = edited(
        tmp_path,
        spec=Spec("1.2.0", Process(args=("x",), cwd="/"), mounts=(Mount("/a", "tmpfs", "tmpfs"),)),
        mounts=[
            {"hostPath": "/h/b", "containerPath": "/a/b", "options": ["ro"]},
            {"hostPath": "/h", "containerPath": "/a", "options": ["bind", "nosuid"]},
        ],
        additionalGids=[0, 44, 44],
        hooks=[{"hookName": "createContainer", "path": "/bin/x", "args": ["x"], "timeout": 3}],
        netDevices=[{"hostInterfaceName": "eth1", "name": "net0"}],
        intelRdt={"closID": "c", "schemata": ["L3:0=f"]},
    )
    assert spec.mounts == (
        Mount("/a", "bind", "/h", ("bind", "nosuid")),
        Mount("/a/b", "bind", "/h/b", ("rbind", "ro")),
    )
    assert spec.process is not None
    assert spec.process.user.additional_gids == (44,)
    assert spec.hooks.create_container == (Hook("/bin/x", ("x",), timeout=3),)
    assert spec.linux.net_devices == {"eth1": NetDevice("net0")}
    assert spec.linux.intel_rdt == IntelRdt(clos_id="c", schemata=("L3:0=f",))


def test_all_that_cannot_be_resolved_is_named() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        Registry({}).resolve(("v.com/c=a", "x"))
    assert str(caught.value) == (
        "CDI device injection failed: unresolvable CDI devices v.com/c=a, x"
    )


def gpus(tmp_path: Path, *names: str) -> Registry:
    write(tmp_path, "gpu.json", document(*names, kind="nvidia.com/gpu"))
    return look((str(tmp_path),))


GPU = (("gpu",),)


@pytest.mark.option(
    "HostConfig.DeviceRequests[].Count",
    "HostConfig.DeviceRequests[].Capabilities",
    "HostConfig.DeviceRequests[].DeviceIDs",
    "HostConfig.DeviceRequests[].Driver",
)
@pytest.mark.parametrize(
    ("request_", "numbers"),
    [
        (DeviceRequest(count=-1, capabilities=GPU), ["all"]),
        (DeviceRequest(count=2, capabilities=GPU), ["0", "1"]),
        (DeviceRequest(driver="nvidia", device_ids=("1",), capabilities=GPU), ["1"]),
        (DeviceRequest(driver="cdi", device_ids=("nvidia.com/gpu=0",)), ["0"]),
    ],
)
def test_gpus_are_found_by_what_their_vendor_says(
    tmp_path: Path, request_: DeviceRequest, numbers: list[str]
) -> None:
    registry = gpus(tmp_path, "0", "1", "all")
    assert names_of((request_,), registry) == tuple(f"nvidia.com/gpu={n}" for n in numbers)


def test_without_a_device_for_all_it_is_all_devices(tmp_path: Path) -> None:
    wanted = DeviceRequest(count=-1, capabilities=GPU)
    names = names_of((wanted, wanted), gpus(tmp_path, "0", "1"))
    assert names == ("nvidia.com/gpu=0", "nvidia.com/gpu=1")


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (
            DeviceRequest(count=-1, capabilities=GPU),
            'could not select device driver "" with capabilities: [[gpu]]',
        ),
        (
            DeviceRequest(driver="nvidia", capabilities=(("gpu", "utility"), ("a",))),
            'could not select device driver "nvidia" with capabilities: [[gpu utility] [a]]',
        ),
        (DeviceRequest(driver="cdi", count=1), "unexpected count in CDI device request"),
        (DeviceRequest(driver="cdi", options={"a": "b"}), "unexpected options in CDI device"),
    ],
)
def test_a_request_that_no_driver_answers(request_: DeviceRequest, answer: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        names_of((request_,), Registry({}))
    assert str(caught.value).startswith(answer)


@pytest.mark.parametrize("name", ["v.com/c=a", "v/c=0", "a.b-c/d_e=f:0.1"])
def test_full_names(name: str) -> None:
    assert documents.is_qualified(name)


@pytest.mark.parametrize("name", ["/dev/null", "v.com/c", "v.com/c=", "0v/c=a", "v/c=a-", "=a"])
def test_what_is_no_full_name(name: str) -> None:
    assert not documents.is_qualified(name)
