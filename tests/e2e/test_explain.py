"""What a container is made of, in words and as a script that makes it again."""

import json
import os
import shutil
import subprocess

import pytest

from support.cli import Cli
from support.engine import Engine

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

LOOK = """
hostname; id; cat /etc/hosts /etc/hostname; grep Cap /proc/self/status
cut -d " " -f 5,6 /proc/self/mountinfo; ls /dev /in; cat /proc/self/cgroup
ls / > /listing; sort /listing
"""


def test_a_running_one(engine: Engine, boxship: Cli) -> None:
    options = ("-d", "--name", "web", "--memory=64m", "--cap-add=net_admin", "--pids-limit=9")
    boxship("run", *options, "busybox", "sh", "-c", "echo x > /written; exec sleep 1000")
    container = engine.api.inspect("web")
    text = boxship("explain", "web")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert f"Container web ({container['Id'][:12]})" in lines
    assert f"State running, process {container['State']['Pid']}" in lines
    assert "--memory 64MiB default none" in lines
    assert '--cap-add ["CAP_NET_ADMIN"] default none' in lines
    assert "lo 0B received, 0B sent" in lines
    assert any(line.startswith("processes 9 in use 1 /sys/fs/cgroup/") for line in lines)
    assert any("exec unshare --mount" in line for line in lines)
    assert "\x1b" not in text


def test_for_machines(engine: Engine, boxship: Cli) -> None:
    name = engine.api.create("thing", Cmd=["sleep", "1000"])
    found = json.loads(boxship("explain", "--format=json", "thing"))
    assert (found["Id"], found["Status"], found["Pid"]) == (name, "created", 0)
    assert (found["Differences"], found["Namespaces"]) == ([], [])
    image = engine.api.get("/images/busybox/json").json()
    assert [layer["Id"] for layer in found["Layers"]] == image["RootFS"]["Layers"][::-1]
    assert sum(layer["Size"] for layer in found["Layers"]) == image["Size"]
    engine.api.start(name)
    found = json.loads(boxship("explain", "--format=json", "thing"))
    kinds = {each["Kind"]: each["OfHost"] for each in found["Namespaces"]}
    assert (kinds["mnt"], kinds["net"], kinds["user"]) == (False, False, True)
    assert {"memory", "processes"} <= {each["Name"] for each in found["Usage"]}


def test_an_update_is_seen(engine: Engine, boxship: Cli) -> None:
    engine.api.start(engine.api.create("thing", Cmd=["sleep", "1000"]))
    boxship("update", "--pids-limit=17", "thing")
    found = json.loads(boxship("explain", "--format=json", "thing"))
    limits = {each["Name"]: each["Value"] for each in found["Limits"]}
    assert limits["processes"] == "17"
    assert {"Field": "PidsLimit", "Value": 17, "Default": None} in found["Differences"]


def test_its_script_makes_it_again(engine: Engine, boxship: Cli) -> None:
    for tool in ("bash", "capsh", "unshare", "sysctl"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed, which the script needs")
    options = ("--name", "look", "-v", "/usr/share:/in:ro", "--memory=64m", "--cap-drop=chown")
    seen = boxship("run", *options, "busybox", "sh", "-c", LOOK)
    script = boxship("explain", "--format=script", "look")
    again = subprocess.run(
        ["bash", "-s"], input=script, capture_output=True, text=True, check=False
    )
    for path in engine.cgroups():  # nobody looks after those that the script makes
        os.rmdir(path)
    assert (again.returncode, again.stderr) == (0, "")
    # What the first run has written is there in the second.
    assert again.stdout.rstrip("\n").split("\n") == [*seen.split("\n")]


def test_one_of_another_runtime(engine: Engine, boxship: Cli) -> None:
    if shutil.which("runc") is None:
        pytest.skip("runc is not installed")
    engine.api.start(engine.api.create("other", Cmd=["sleep", "9"], HostConfig={"Runtime": "runc"}))
    script = boxship("explain", "--format=script", "other")
    assert "# runc made it; this is how Boxship's own runtime would" in script
    assert "mount -t proc" in script


def test_what_it_is_asked_wrongly(engine: Engine, boxship: Cli) -> None:
    assert boxship.run("explain", "--format=yaml", "x").code == 125
    unknown = boxship.run("explain", "nobody")
    assert (unknown.code, "No such container: nobody" in unknown.err) == (1, True)
    assert boxship.run("explain").code == 1
