"""Verbs of volumes: the same requests and texts as Docker's own client."""

import json
import shlex

import pytest

VOLUME = {
    "CreatedAt": "2026-01-01T00:00:00Z",
    "Driver": "local",
    "Labels": {"x": "y"},
    "Mountpoint": "/data/a/_data",
    "Name": "a",
    "Options": None,
    "Scope": "local",
}
LIST = [VOLUME | {"Name": "b10", "Labels": None}, VOLUME | {"Name": "b2"}, VOLUME]


@pytest.fixture(autouse=True)
def answers(recorder) -> None:
    missing = (404, '{"message":"get gone: no such volume"}')
    recorder.answers |= {
        "POST /volumes/create": (201, json.dumps(VOLUME)),
        "POST /volumes/prune": (200, '{"VolumesDeleted":["x","y"],"SpaceReclaimed":2048}'),
        "DELETE /volumes/a": (204, ""),
        "DELETE /volumes/gone": missing,
        "DELETE /volumes/used": (409, '{"message":"remove used: volume is in use - [1]"}'),
        "GET /volumes/a": (200, json.dumps(VOLUME)),
        "GET /volumes/gone": missing,
        "GET /volumes": (200, json.dumps({"Volumes": LIST, "Warnings": None})),
    }


LINES = r"""
create
create a
create -d other --label k=v --label only -o type=nfs --opt o=addr=1.2.3.4,rw a
create a b
create -o bad a
inspect a
inspect a gone
inspect -f {{.Name}}{{.Labels.x}} a
ls
ls -q
ls --filter dangling=true --filter label=x -f name=b
ls --format {{.Name}}:{{.Driver}}:{{.Labels}}:{{.Mountpoint}}:{{.Scope}}
ls --format json
ls --format 'table {{.Name}}\t{{.Size}}\t{{.Links}}'
list
ls extra
rm a
rm a used gone
rm -f a
remove a
rm
prune -f
prune -f -a
prune -f --filter label=x --filter label!=y
update a
update gone
""".strip().splitlines()


@pytest.mark.parametrize("line", LINES)
def test_requests_and_texts(line: str, recorder, ours, theirs) -> None:
    outcomes = []
    for client in (ours, theirs):
        outcome = client("volume", *shlex.split(line))
        requests = [(one.method, one.target, one.json()) for one in recorder.take()]
        outcomes.append((outcome.code, outcome.out, outcome.err if requests else "", requests))
    assert outcomes[0] == outcomes[1]
