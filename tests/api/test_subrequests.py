"""What clients ask about a Dockerfile instead of building it."""

import json
import re

import pytest

from boxship.engine.build.failures import Place
from boxship.engine.build.progress import LineRange, SourceText, VertexWarning
from boxship.oci.digest import Digest
from boxship.wire.buildkit import gateway, methods
from boxship.wire.buildkit.control import (
    SolveRequest,
    SolveResponse,
)
from boxship.wire.buildkit.session import BUILD_ID
from support.buildkitcalls import Buildx, Caller

STEP = Digest.of(b"a step")
SOURCE = SourceText("Dockerfile", b"FROM busybox\nRUN false\n")
PLACE = Place(SOURCE, (LineRange(2, 2),))


@pytest.fixture
def buildx(tmp_path, api):
    return Buildx(tmp_path, str(tmp_path / "api.sock"))


DOCKERFILE = """# the first word
ARG WORD=hello
FROM busybox AS base
# app is what people want
FROM base AS app
ARG WORD
RUN --mount=type=secret,id=token,required --mount=type=cache,target=/c true
"""


def test_questions_about_the_dockerfile(api, buildx):
    api.builder.dockerfile = DOCKERFILE
    said = buildx.ask("outline", "--build-arg", "WORD=other")
    assert re.search(r"^TARGET: +app$", said, re.M)
    assert re.search(r"^DESCRIPTION: +is what people want$", said, re.M)
    assert re.search(r"^WORD +other", said, re.M)
    assert re.search(r"^token +true$", said, re.M)
    said = buildx.ask("targets")
    assert re.search(r"^base *$", said, re.M)
    assert re.search(r"^app \(default\) +is what people want$", said, re.M)
    found = json.loads(buildx.ask("targets,format=json"))
    assert found["targets"][1]["location"] == {
        "ranges": [{"start": {"line": 5}, "end": {"line": 5}}]
    }
    assert "\noutline " in buildx.ask("subrequests.describe")


def test_lint(api, tmp_path):
    """Debian's buildx does not ask for it yet."""
    warning = VertexWarning(
        STEP,
        "StageNameCasing: Stage name 'A' should be lowercase (line 2)",
        detail=("Stage names should be lowercase",),
        url="https://example.com/rule",
        source=SOURCE,
        ranges=PLACE.ranges,
        rule="StageNameCasing",
    )
    api.builder.events = [warning]
    with Caller(str(tmp_path / "api.sock")) as caller:
        solve = caller.begin(methods.SOLVE, SolveRequest("r"))
        options = {"requestid": "frontend.lint"}
        asked = gateway.SolveRequest(
            frontend="dockerfile.v0", frontend_opt=options, allow_result_return=True
        )
        (answer,) = caller.ask(methods.GATEWAY_SOLVE, asked, {BUILD_ID: ["r"]})
        caller.ask(methods.GATEWAY_RETURN, gateway.ReturnRequest(), {BUILD_ID: ["r"]})
        assert caller.wait(solve, methods.SOLVE) == [SolveResponse()]
    found = answer.result.metadata
    (shown,) = json.loads(found["result.json"])["warnings"]
    assert shown["detail"] == "Stage name 'A' should be lowercase"
    assert shown["location"]["ranges"][0]["start"] == {"line": 2}
    text = found["result.txt"].decode()
    assert text.startswith("WARNING: StageNameCasing - https://example.com/rule\nStage name 'A'")
    assert "2 | >>> RUN false" in text
    assert found["result.statuscode"] == b"1"
    assert api.builder.requests[-1].check_only
