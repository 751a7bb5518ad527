"""The same archive on our daemon and on Docker's: inspect, history, lists and filters agree."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.dockerd import Dockerd
from support.engine import Engine
from support.programs import needs
from support.shop import Sample, docker_archive, sha
from support.tars import Member, tar

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.boxshipd,
    needs("dockerd"),
]

LAYERS = (tar(Member("a", b"1" * 100), Member("b", b"2")), tar(Member(".wh.a")))
CONTAINER_CONFIG = {
    "Hostname": "h", "Domainname": "d", "User": "u", "AttachStdin": True, "Tty": True,
    "ExposedPorts": {"80/tcp": {}}, "Env": ["A=b"], "Cmd": ["sh"], "ArgsEscaped": True,
    "Healthcheck": {"Test": ["CMD", "x"], "Interval": 5_000_000_000, "Retries": 3},
    "Image": "sha256:1", "Volumes": {"/v": {}}, "WorkingDir": "/w", "Entrypoint": ["e"],
    "NetworkDisabled": True, "MacAddress": "02:00:00:00:00:01", "OnBuild": ["RUN x"],
    "Labels": {"a": "b"}, "StopSignal": "SIGINT", "StopTimeout": 5, "Shell": ["/bin/sh"],
    "X-Unknown": 1,
}  # fmt: skip
FULL = {
    "variant": "v3", "os.version": "10", "created": "2024-01-01T00:00:00.123456789Z",
    "author": "me", "comment": "hello", "docker_version": "1.2", "container": "c" * 64,
    "container_config": {"Cmd": ["x"], "Hostname": "h"}, "config": CONTAINER_CONFIG,
    "history": [
        {"created": "2024-01-01T00:00:00Z", "created_by": "one", "comment": "c1"},
        {"created": "2024-01-01T00:00:01Z", "author": "z", "empty_layer": True},
        {"created": "2024-01-01T00:00:02Z", "created_by": "three"},
    ],
    "x-unknown": {"y": 1},
}  # fmt: skip


def image(**document: Any) -> Sample:
    diff_ids = [f"sha256:{sha(layer)}" for layer in LAYERS]
    base = {"architecture": "amd64", "os": "linux"}
    rootfs = {"rootfs": {"type": "layers", "diff_ids": diff_ids}}
    return Sample(LAYERS, json.dumps(base | document | rootfs).encode())


IMAGES = {
    "full": image(**FULL),
    "empty-config": image(created="2023-01-01T00:00:00Z", config={}),
    "labelled": image(created="2022-01-01T00:00:00Z", config={"Labels": {"a": "c", "x": ""}}),
}
ARCHIVE = docker_archive(
    (IMAGES["full"], ["full:1", "q.io/full:2"]),
    (IMAGES["empty-config"], []),
    (IMAGES["labelled"], ["labelled:1"]),
)
Pair = tuple[Engine, Engine]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with Engine() as ours, Dockerd() as theirs:
        for engine in (ours, theirs):
            assert engine.api.post("/images/load", ARCHIVE, quiet=1).status == 200
        yield ours, theirs


@pytest.mark.parametrize("name", IMAGES)
def test_inspect(pair: Pair, name: str) -> None:
    def seen(engine: Engine) -> Any:
        found = engine.api.get(f"/images/{IMAGES[name].id}/json").json()
        assert set(found["GraphDriver"].pop("Data")) == {
            "LowerDir", "MergedDir", "UpperDir", "WorkDir"
        }  # fmt: skip
        del found["Metadata"]  # dockerd forgets when it named what it loaded
        found.setdefault("Container", "")  # newer ones leave it out
        return found

    ours, theirs = map(seen, pair)
    assert ours == theirs


@pytest.mark.parametrize("name", IMAGES)
def test_history(pair: Pair, name: str) -> None:
    ours, theirs = (e.api.get(f"/images/{IMAGES[name].id}/history").json() for e in pair)
    assert ours == theirs


def test_list(pair: Pair) -> None:
    def seen(engine: Engine) -> Any:
        rows = engine.api.get("/images/json", all=1).json()
        return [row | {"RepoDigests": row["RepoDigests"] or []} for row in rows]

    ours, theirs = map(seen, pair)
    assert ours == theirs


@pytest.mark.parametrize(
    "filters",
    [
        {"dangling": ["true"]},
        {"dangling": ["false"]},
        {"label": ["a"]},
        {"label": ["a=c"]},
        {"label": ["a", "x"]},
        {"label": ["a=b", "x"]},
        {"reference": ["full"]},
        {"reference": ["*:1"]},
        {"reference": ["*"]},
        {"reference": ["f*"]},
        {"reference": ["q.io/*"]},
        {"reference": ["q.io/*:*"]},
        {"reference": ["*/*"]},
        {"reference": ["full:1", "labelled"]},
        {"reference": ["[a-f]ull"]},
        {"reference": ["docker.io/library/full"]},
        {"before": ["full:1"]},
        {"since": ["labelled:1"]},
        {"since": ["labelled:1"], "before": ["full:1"]},
        {"before": ["nothing"]},
        {"label": ["a"], "dangling": ["true"]},
    ],
    ids=json.dumps,
)
def test_filters(pair: Pair, filters: dict[str, list[str]]) -> None:
    def seen(engine: Engine) -> Any:
        reply = engine.api.get("/images/json", filters=json.dumps(filters))
        if reply.status != 200:
            return reply.status, reply.message
        return [(row["Id"], row["RepoTags"]) for row in reply.json()]

    ours, theirs = map(seen, pair)
    assert ours == theirs


def test_what_is_saved_is_the_config_that_came(pair: Pair) -> None:
    """Unknown members and all."""
    for engine in pair:
        saved = engine.api.get("/images/full:1/get").body
        assert IMAGES["full"].config in saved
