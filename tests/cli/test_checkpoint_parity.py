"""Checkpoint verbs send what Docker's own client sends."""

import shlex

import pytest

LINES = (
    ("checkpoint create a one", "POST /containers/a/checkpoints"),
    ("checkpoint create --leave-running a one", "POST /containers/a/checkpoints"),
    ("checkpoint create --checkpoint-dir /x a one", "POST /containers/a/checkpoints"),
    ("checkpoint ls a", "GET /containers/a/checkpoints"),
    ("checkpoint list --checkpoint-dir /x a", "GET /containers/a/checkpoints"),
    ("checkpoint rm a one", "DELETE /containers/a/checkpoints/one"),
    ("checkpoint remove --checkpoint-dir /x a one", "DELETE /containers/a/checkpoints/one"),
    ("start --checkpoint one a", "POST /containers/a/start"),
    ("start --checkpoint one --checkpoint-dir /x a", "POST /containers/a/start"),
)


@pytest.mark.parametrize(("line", "route"), LINES)
def test_the_request_equals_dockers(line: str, route: str, recorder, ours, theirs) -> None:
    recorder.answers[route] = (200, '[{"Name":"one"}]')
    recorder.experimental = True
    recorded, said = [], []
    for client in (theirs, ours):
        outcome = client(*shlex.split(line), DOCKER_API_VERSION=recorder.version)
        assert outcome.code == 0, outcome
        recorded.append([(r.method, r.target, r.json()) for r in recorder.take()])
        said.append(outcome.out)
    assert recorded[1] == recorded[0]
    assert said[1] == said[0]


def test_only_one_container_goes_on_from_a_checkpoint(recorder, ours, theirs) -> None:
    recorder.experimental = True
    outcomes = [c("start", "--checkpoint", "one", "a", "b") for c in (theirs, ours)]
    assert recorder.take() == []
    assert outcomes[1].code == outcomes[0].code == 1
