"""Small Dockerfiles by Docker's classic builder and by ours: the images, field by field and file
by file, and what was said."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.builds import documents
from support.builds.asking import build, context
from support.dockerd import Dockerd
from support.engine import Engine
from support.parity.pair import DEBIAN_13
from support.programs import required
from support.tars import Member, directory, symlink, tar

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


@dataclass(frozen=True)
class Case:
    name: str
    dockerfile: str
    members: tuple[Member, ...] = ()
    query: dict[str, object] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        return tar(Member("Dockerfile", self.dockerfile.encode()), *self.members)


_TREE = (
    directory("d"),
    Member("d/one", b"1", mode=0o640, uid=1000, gid=1000),
    Member("d/two", b"22", mode=0o755),
    directory("d/sub", mode=0o700),
    Member("d/sub/three", b"333"),
    symlink("d/link", "one"),
    Member("f", b"f"),
    Member("g.txt", b"g"),
    Member("h.txt", b"h"),
    Member("packed.tar", tar(directory("in"), Member("in/file", b"packed", uid=5, gid=6))),
)

CASES = (
    Case(
        "settings",
        """FROM busybox
MAINTAINER Somebody <somebody@example.org>
ARG A=1 B
ARG C="quoted word"
ENV X=$A Y=${B:-none} Z=${C} E=
ENV OLD style value with ${X}
ENV X=changed COPY=$X S='single $X' D="double $X" ESC=\\$X W=a\\ b
LABEL a=b "c d"='e f' g=$X
WORKDIR /w
WORKDIR rel/${X}
EXPOSE 80 90/udp 100-102
EXPOSE $A
VOLUME /v1 /v2
VOLUME ["/v3"]
USER 33:33
STOPSIGNAL SIGUSR1
HEALTHCHECK --interval=5s --timeout=3s --start-period=1m --retries=4 CMD test -e / || exit 1
SHELL ["/bin/sh", "-ec"]
ONBUILD COPY . /there
ONBUILD RUN ["true"]
ENTRYPOINT ["echo", "$X"]
CMD echo ${X} "$Y"
""",
    ),
    Case(
        "entrypoint takes the command away",
        "FROM busybox\nENTRYPOINT echo hi\nHEALTHCHECK NONE\nUSER nobody\nWORKDIR /\n",
    ),
    Case(
        "query",
        "FROM busybox AS first\nARG V=default\nRUN echo $V > /v\nLABEL own=1 both=file\n"
        "FROM first AS second\nRUN exit 1\n",
        query={
            "target": "first",
            "buildargs": '{"V": "given"}',
            "labels": '{"asked": "2", "both": "asked"}',
        },
    ),
    Case(
        "files",
        """FROM busybox
COPY d /copied
COPY d/ /into/
COPY f /name
COPY f /dir/
COPY *.txt /texts/
COPY ["f", "g.txt", "/list/"]
COPY --chown=33:33 d /owned
COPY --chown=www-data f /named
WORKDIR /here
COPY f .
COPY d/link ./linked
ADD packed.tar /unpacked
ADD f /added
COPY packed.tar /packed
COPY f /bin/
""",
        _TREE,
    ),
    Case(
        "steps",
        """FROM busybox
RUN mkdir -p /a/b && echo x > /a/b/c && chmod 700 /a && chown -R 33:33 /a/b
RUN rm -rf /a/b && mkdir /a/b && touch /a/b/new
RUN rm /etc/shadow && ln -s /a /l && ln /etc/group /etc/group2
RUN true
USER www-data
WORKDIR /srv/deep
RUN id -un > /tmp/who; pwd >> /tmp/who; echo "$HOME $PATH" >> /tmp/who
USER root
RUN ["sh", "-c", "echo exec > /e"]
ENV GREETING=hello
RUN echo $GREETING > /g; umask > /u; echo $0 > /zero
""",
    ),
    Case(
        "stages",
        """ARG BASE=busybox
FROM ${BASE} AS one
RUN echo one > /one
FROM busybox
ARG BASE
RUN echo "two ${BASE}" > /two
FROM scratch
COPY --from=one /one /bin/busybox /
COPY --from=1 /two /x/
COPY --from=busybox:latest /etc/group /g
CMD ["/busybox"]
""",
    ),
)


@pytest.fixture(scope="module")
def theirs() -> Iterator[Engine]:
    required(str(DEBIAN_13[0] / "dockerd"))
    with Dockerd("--bridge=none", programs=DEBIAN_13) as dockerd:
        dockerd.load("busybox")
        yield dockerd


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_images_are_the_same(theirs: Engine, engine: Engine, case: Case) -> None:
    tag = "made:" + re.sub(r"\W", "-", case.name)
    built = [
        build(each.api, case.data, t=tag, networkmode="none", **case.query)
        for each in (theirs, engine)
    ]
    try:
        assert [each.error for each in built] == ["", ""]
        left, right = (documents.read(each.api, tag) for each in (theirs, engine))
        assert list(documents.differences(left, right)) == []
        assert plain(built[1].said) == plain(built[0].said)
    finally:
        engine.api.delete(f"/images/{tag}")


def plain(said: str) -> list[str]:
    """What both say: without ids, and without the containers that the classic builder needs."""
    lines = re.sub(r"\b[0-9a-f]{12}\b", "<id>", said).splitlines()
    return [line for line in lines if not line.startswith((" --->", "[Warning]")) and line]


def test_onbuild_is_carried_out(theirs: Engine, engine: Engine) -> None:
    base = "FROM busybox\nONBUILD COPY f /f\nONBUILD RUN echo $V > /v\nONBUILD ENV W=$V\nENV V=v\n"
    child = tar(Member("Dockerfile", b"FROM base\nLABEL a=b\n"), Member("f", b"f"))
    images = []
    for each in (theirs, engine):
        for tag, data in (("base", context(base)), ("child", child)):
            assert not build(each.api, data, t=tag, networkmode="none").error
        images.append(documents.read(each.api, "child"))
    assert list(documents.differences(*images)) == []
    for tag in ("child", "base"):
        engine.api.delete(f"/images/{tag}")


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM busybox\nRUN echo said; exit 7\n",
        "FROM busybox\nRUN ['sh']\n",
        "FROM busybox\nCOPY x\n",
    ],
)
def test_failures_sound_the_same(theirs: Engine, engine: Engine, dockerfile: str) -> None:
    left, right = (
        build(each.api, context(dockerfile), networkmode="none") for each in (theirs, engine)
    )
    assert (right.status, right.lines[-1]) == (left.status, left.lines[-1])


def test_dockers_client_builds(engine: Engine, tmp_path: Path) -> None:
    """As `DOCKER_BUILDKIT=0` has it: a `.dockerignore`, an id in a file, silence."""
    place = tmp_path / "context"
    place.mkdir()
    (place / "Dockerfile").write_text("FROM busybox\nCOPY . /c\nRUN ls -A /c\n")
    (place / "kept").write_text("kept")
    (place / "left.md").write_text("left out")
    (place / ".dockerignore").write_text("*.md\nDockerfile\n.dockerignore\n")
    told = place / "id"
    environment = {"DOCKER_HOST": f"unix://{engine.socket}", "DOCKER_BUILDKIT": "0"}
    command = [engine.docker.program, "build", "--network=none", "--no-cache"]
    done = subprocess.run(
        [*command, f"--iidfile={told}", "--tag=ours:1", str(place)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Successfully tagged ours:1" in done.stdout
    assert "left.md" not in done.stdout
    image = engine.api.get("/images/ours:1/json").json()["Id"]
    assert told.read_text() == image
    quiet = subprocess.run(
        [*command[:-1], "--quiet", str(place)], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert json.dumps(quiet.stdout.strip()).count("sha256:") == 1, quiet
    engine.api.delete("/images/ours:1")
