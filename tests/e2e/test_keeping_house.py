"""Prune, disk usage and last use with whole daemons and both clients."""

import json
import re
import threading
import time
from collections.abc import Callable

import pytest

from support.cli import Cli
from support.engine import Engine
from support.images.catalog import ensure
from support.shop import archive, files_of, sha

pytestmark = pytest.mark.privileged


def variant(name: str) -> tuple[str, bytes]:
    """An image of busybox's layers with a config of its own: its id, and an archive."""
    files = files_of(ensure("busybox").read_bytes())
    (item,) = json.loads(files["manifest.json"])
    config = json.loads(files[item["Config"]])
    config["config"]["Labels"] = {"variant": name}
    text = json.dumps(config).encode()
    files[f"{sha(text)}.json"] = text
    changed = item | {"Config": f"{sha(text)}.json", "RepoTags": [f"{name}:latest"]}
    files["manifest.json"] = json.dumps([changed]).encode()
    return f"sha256:{sha(text)}", archive(files)


def test_system_prune(docker: Cli, engine: Engine) -> None:
    image, packed = variant("pruned")
    assert engine.api.post("/images/load", packed, quiet=1).status == 200
    ended = docker("create", "--net=none", "busybox", "true")
    docker("run", "--net=none", "--name=wrote", "busybox", "sh", "-c", "echo -n 12345 > /f")
    running = docker("run", "-d", "--net=none", "busybox", "sleep", "1000")
    told = docker("system", "prune", "-a", "-f")
    assert ended in told
    assert running not in told
    assert "untagged: pruned:latest" in told
    assert f"deleted: {image}" in told
    assert "Total reclaimed space: 5B" in told
    assert docker("images", "-q", "pruned") == ""
    assert docker("images", "-q", "busybox") != ""
    assert docker("system", "prune", "-f").strip().endswith("Total reclaimed space: 0B")


def test_disk_usage(docker: Cli, engine: Engine) -> None:
    docker("run", "--net=none", "--name=wrote", "busybox", "sh", "-c", "echo -n 12345 > /f")
    usage = engine.api.get("/system/df").json()
    assert [row["SizeRw"] for row in usage["Containers"]] == [5]
    images = {image["Id"]: image for image in usage["Images"]}
    assert usage["LayersSize"] == sum(image["Size"] for image in images.values())
    shown = docker("system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}}")
    lines = dict(re.findall(r"^(.*) (\d+ \d+ \S+)$", shown, re.MULTILINE))
    assert lines["Containers"] == "1 0 5B"
    assert lines["Local Volumes"] == lines["Build Cache"] == "0 0 0B"


@pytest.mark.boxshipd
def test_an_image_counts_as_used_until_its_last_container_goes(
    boxship: Cli, engine: Engine
) -> None:
    image, packed = variant("used")
    assert engine.api.post("/images/load", packed, quiet=1).status == 200
    fresh = engine.api.get(f"/images/{image}/json").json()["Metadata"]
    assert "LastUsedTime" not in fresh
    assert boxship("images", "--format", "{{.LastUsed}}", "used") == "N/A"
    container = engine.api.create("once", Image="used", Cmd=["true"])
    made = engine.api.get(f"/images/{image}/json").json()["Metadata"]["LastUsedTime"]
    engine.api.remove(container)
    gone = engine.api.get(f"/images/{image}/json").json()["Metadata"]["LastUsedTime"]
    assert fresh["LastTagTime"] < made < gone
    assert "ago" in boxship("images", "--format", "{{.LastUsed}}", "used")
    keep = boxship(
        "image", "prune", "-a", "-f", "--filter", "unused-for=1h", "--filter", "label=variant"
    )
    assert "used" not in keep
    told = boxship(
        "image", "prune", "-a", "-f", "--filter", "unused-for=0s", "--filter", "label=variant"
    )
    assert "untagged: used:latest" in told


def test_beside_creates_and_loads(make_engine: Callable[..., Engine]) -> None:
    """Whoever got a container can start it, whatever is pruned meanwhile; then nothing is left."""
    with make_engine() as engine:
        _, packed = variant("raced")
        odd: list[object] = []
        made = 0

        def live() -> None:
            nonlocal made
            until = time.monotonic() + 3
            while time.monotonic() < until + (60 if made < 5 else 0):
                loaded = engine.api.post("/images/load", packed, quiet=1)
                body = {"Image": "raced", "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}
                created = engine.api.post("/containers/create", body)
                if loaded.status != 200 or created.status not in (201, 404):
                    odd.append((loaded.body, created.body))
                if created.status != 201:
                    continue
                made += 1
                container = created.json()["Id"]
                steps = [
                    engine.api.post(f"/containers/{container}/start"),
                    engine.api.get(f"/containers/{container}/json"),
                    engine.api.delete(f"/containers/{container}", force=1),
                ]
                odd.extend(reply.body for reply in steps if reply.status >= 300)

        thread = threading.Thread(target=live)
        thread.start()
        filters = json.dumps({"dangling": ["false"]})
        while thread.is_alive():
            pruned = engine.api.post("/images/prune", filters=filters)
            if pruned.status != 200:
                odd.append(pruned.body)
        thread.join()
        assert not odd
        assert made >= 5
        engine.api.post("/images/prune", filters=filters)
        assert engine.api.get("/images/json", all=1).json() == []
        assert engine.api.get("/system/df").json()["LayersSize"] == 0
