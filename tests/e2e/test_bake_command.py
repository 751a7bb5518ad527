"""``boxship buildx bake`` against an engine."""

import json
from pathlib import Path

import pytest

from support.cli import Cli
from support.engine import Engine
from support.waiting import eventually

pytestmark = pytest.mark.privileged

FILE = """
variable "WORD" { default = "none" }
group "default" { targets = ["app", "tools"] }
target "base" { dockerfile-inline = "FROM busybox\\nRUN echo base > /base\\n" }
target "app" {
  context = "app"
  contexts = { base = "target:base" }
  args = { WORD = upper(WORD) }
  tags = ["bakedapp"]
}
target "tools" {
  name = "tool-${v}"
  matrix = { v = ["a", "b"] }
  dockerfile-inline = "FROM scratch\\nARG V\\nLABEL tool=$V\\n"
  args = { V = v }
  tags = ["bakedtool:${v}"]
}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a bake file, where the client runs."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/Dockerfile").write_text(
        'FROM base\nARG WORD\nLABEL word="$WORD"\nRUN cp /base /copy\n'
    )
    (tmp_path / "docker-bake.hcl").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(engine: Engine) -> set[str]:
    images = engine.api.get("/images/json").json()
    return {tag for image in images for tag in image["RepoTags"] or ()}


def test_targets_are_built_with_those_they_build_on(
    engine: Engine, boxship: Cli, project: Path
) -> None:
    done = boxship.run(
        "buildx", "bake", "--progress", "plain", "--var", "WORD=hi",
        "--set", "tool-b.labels.more=1", "--metadata-file", "told.json",
    )  # fmt: skip
    assert done.code == 0, done
    assert "[app 2/2] RUN cp /base /copy" in done.err
    made = {"bakedapp:latest", "bakedtool:a", "bakedtool:b"}
    assert made <= names(engine)
    assert not [name for name in names(engine) if "boxship-bake" in name]
    app = engine.api.get("/images/bakedapp/json").json()
    assert app["Config"]["Labels"] == {"word": "HI"}
    tool = engine.api.get("/images/bakedtool:b/json").json()
    assert tool["Config"]["Labels"] == {"tool": "b", "more": "1"}
    told = json.loads((project / "told.json").read_text())
    assert set(told) == {"base", "app", "tool-a", "tool-b"}
    assert told["app"]["containerimage.config.digest"] == app["Id"]
    boxship("rmi", *made)


def test_a_target_that_fails_is_named(engine: Engine, boxship: Cli, project: Path) -> None:
    change = "tool-a.dockerfile-inline=FROM busybox\nRUN exit 7\n"
    done = boxship.run("buildx", "bake", "--progress", "plain", "--set", change, "tool-a")
    assert done.code == 1
    assert "target tool-a:" in done.err
    assert "2 | >>> RUN exit 7" in done.err
    assert not [name for name in names(engine) if "boxship-bake" in name]


def test_a_failure_ends_what_goes_on_beside_it(engine: Engine, boxship: Cli, project: Path) -> None:
    mount = f"RUN --mount=type=cache,target=/m,id={project.name}"
    long = f"FROM busybox\\n{mount} touch /m/begun; sleep 600\\n"
    short = f"FROM busybox\\n{mount} until test -e /m/begun; do usleep 5000; done; false\\n"
    (project / "docker-bake.hcl").write_text(
        f'target "long" {{ dockerfile-inline = "{long}" }}\n'
        f'target "short" {{ dockerfile-inline = "{short}" }}\n'
    )
    done = boxship.run("buildx", "bake", "--progress", "plain", "long", "short")
    assert done.code == 1
    assert "target short:" in done.err
    eventually(lambda: not engine.inhabitants(), "the end of the long one")


def test_nothing_is_built_when_it_is_only_printed(
    engine: Engine, boxship: Cli, project: Path
) -> None:
    printed = json.loads(boxship("buildx", "bake", "--print", "tools"))
    assert list(printed["target"]) == ["tool-a", "tool-b"]
    assert boxship("buildx", "bake", "--list", "variables").splitlines()[1].split() == [
        "WORD",
        "none",
    ]
    checked = boxship.run("buildx", "bake", "--check", "app")
    assert checked.code == 0, checked
    assert "no warnings found" in checked.out
    assert "bakedtool:a" not in names(engine)


def test_what_is_wrong_with_the_file_is_said(engine: Engine, boxship: Cli, project: Path) -> None:
    (project / "docker-bake.hcl").write_text('target "a" {\n  tag = []\n}\n')
    done = boxship.run("buildx", "bake", "a")
    assert done.code == 1
    assert 'docker-bake.hcl:2,9: a target has no attribute "tag"' in done.err
