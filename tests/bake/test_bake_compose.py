"""Compose files as bake files: every form in which Compose lets a build be written."""

import pytest

from boxship.cli.bake.project import BakeError, Source, read_project
from boxship.cli.bake.target import Target

TEXT = """
x-common: &common
  args: {Z: "1"}
services:
  a.b:
    image: reg/${NAME:-def}:${TAG-t}
    build:
      <<: *common
      context: ./dir
      dockerfile_inline: FROM scratch
      labels: [l=1, "m=${NAME}", price=$$5, "p=${NAME:+set}${NONE+no}"]
      network: host
      shm_size: 64m
      pull: true
      platforms: [linux/amd64]
      additional_contexts: {base: "docker-image://alpine"}
      secrets: [s1, {source: s2, target: elsewhere}]
      extra_hosts: [h=1.2.3.4]
      ulimits: {nofile: {soft: 1, hard: 2}, nproc: 5}
      x-bake:
        cache-to: type=inline
        tags: ["from:bake"]
  only:
    image: x
  git:
    build: https://github.com/a/b.git#main
secrets:
  s1: {file: ./f}
  s2: {environment: S2}
"""


def targets(text: str) -> dict[str, Target]:
    project = read_project([Source("compose.yml", text)], {"NAME": "n"})
    return dict(project.plan([]).targets)


def test_services_with_a_build_are_targets() -> None:
    assert targets(TEXT) == {
        "a_b": Target(
            context="dir",
            contexts={"base": "docker-image://alpine"},
            dockerfile="Dockerfile",
            dockerfile_inline="FROM scratch",
            args={"Z": "1"},
            labels={"l": "1", "m": "n", "price": "$5", "p": "set"},
            tags=("from:bake",),
            cache_to=("type=inline",),
            secret=("id=s1,src=f", "id=s2,env=S2"),
            platforms=("linux/amd64",),
            pull=True,
            network="host",
            shm_size="64m",
            ulimits=("nofile=1:2", "nproc=5"),
            extra_hosts={"h": "1.2.3.4"},
        ),
        "git": Target(context="https://github.com/a/b.git#main", dockerfile="Dockerfile"),
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1", "compose.yml: the file has no services"),
        ("services: {a: {build: {x-bake: {nope: 1}}}}", 'x-bake has no field "nope"'),
        ("services: {a: {build: {tags: 1}}}", "a list is required"),
        ("services: {a: {build: '${V:?is needed}'}}", "V: is needed"),
        ("services: [", "compose.yml: "),
    ],
)
def test_what_is_wrong_with_the_file(text: str, problem: str) -> None:
    with pytest.raises(BakeError, match=problem):
        targets(text)


def test_a_file_in_yaml_by_another_name() -> None:
    text = "services:\n  a:\n    build: .\n"
    assert list(read_project([Source("-", text)], {}).plan([]).targets) == ["a"]
