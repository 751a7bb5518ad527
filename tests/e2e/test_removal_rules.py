"""Naming and removing images: the same steps on our daemon and on Docker's, the same answers.

A scenario is a line of steps. Images are ``@A`` and ``@B`` (they share a layer) or ``@A:6``, the
first six digits of an id; containers are ``c1``, ``c2``. After each step answers and names that
are left are compared, and at the end the events; ids are written as these names. Where Docker's
words and statuses have changed since its version 20.10, which we compare with, ours are the newer.
"""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest
from _pytest.mark import ParameterSet

from support.api import Reply
from support.dockerd import Dockerd
from support.engine import Engine
from support.images.catalog import ensure
from support.programs import needs
from support.shop import Sample, archive, files_of, sha
from support.tars import Member, tar

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.boxshipd,
    needs("dockerd"),
]

SCENARIOS = """
by-name            | rm app:1
by-name-default    | tag app:1 app | rm app
by-full-name       | rm docker.io/library/app:1
by-unknown-name    | rm app:2 | rm nothing | rm x.y/z:1
by-id              | rm @A
by-prefix          | rm @A:6
by-prefixed-prefix | rm sha256:@A:6
by-whole-digits    | rm @A:64
by-unknown-id      | rm 0000000000000000000000000000000000000000000000000000000000000000
by-bad-name        | rm App | rm a..b | rm app: | rm app:-x
two-tags           | tag app:1 app:2 | rm app:1 | rm app:2
two-tags-by-id     | tag app:1 app:2 | rm @A | rm -f @A
two-repositories   | tag app:1 other:1 | rm @A | rm -f @A
three-repositories | tag app:1 b:1 | tag app:1 c:1 | rm b:1 | rm @A:12 | rm c:1 | rm @A:12
registry-name      | tag app:1 quay.io:5000/x/y:z | rm quay.io:5000/x/y:z | rm app:1
untagged           | tag @B app:1 | rm @A
move-tag           | tag @B app:1 | tag @A app:1 | rm app:1
tag-by-prefix      | tag @A:8 by:prefix | rm by:prefix
tag-itself         | tag app:1 app:1 | rm app:1
tag-unknown        | tag nothing x:1 | tag app:9 x:1
tag-bad            | tag app:1 X | tag app:1 a:-b | tag app:1 sha256:x | tag app:1 a//b
tag-digest         | tag app:1 a@sha256:0000000000000000000000000000000000000000000000000000000000000000
noprune            | rm -n app:1
no-force-stopped   | create c1 app:1 | rm app:1 | rm @A | rm -f app:1
force-id-stopped   | create c1 app:1 | rm -f @A
stopped-two-tags   | create c1 app:1 | tag app:1 app:2 | rm app:1 | rm app:2 | rm -f app:2
stopped-two-repos  | create c1 app:1 | tag app:1 b:1 | rm @A | rm b:1 | rm @A | rm -f @A
running            | run c1 app:1 | rm app:1 | rm -f app:1 | rm @A | rm -f @A
running-two-tags   | run c1 app:1 | tag app:1 b:1 | rm b:1 | rm -f @A | rm -f app:1
running-untagged   | run c1 @A | rm app:1 | rm -f app:1 | drop c1 | rm @A
paused             | run c1 app:1 | pause c1 | rm -f @A | rm app:1
created-by-id      | create c1 @A:12 | rm app:1 | rm @A
two-containers     | create c1 app:1 | run c2 app:1 | rm @A | drop c2 | rm @A
after-container    | create c1 app:1 | rm -f app:1 | drop c1 | rm app:1
again              | rm app:1 | rm app:1
both               | rm @A | rm @B
named-like-an-id   | tag @B @A:12 | rm @A:12 | rm app:1
named-like-own-id  | tag @A @A:12 | rm @A:12:latest | rm @A:12
child              | create c1 app:1 | commit c1 kid:1 | drop c1 | rm app:1 | rm @A | rm -f @A | rm kid:1
child-first        | create c1 app:1 | commit c1 kid:1 | drop c1 | rm kid:1 | rm app:1
untagged-parent    | create c1 app:1 | commit c1 kid:1 | drop c1 | rm app:1 | rm kid:1
untagged-noprune   | create c1 app:1 | commit c1 kid:1 | drop c1 | rm app:1 | rm -n kid:1
grandchild         | create c1 app:1 | commit c1 kid:1 | drop c1 | create c1 kid:1 | commit c1 kid:2 | drop c1 | rm app:1 | rm kid:1 | rm kid:2
parent-in-use      | create c1 app:1 | commit c1 kid:1 | rm app:1 | rm -f app:1 | rm kid:1
prune-dangling     | tag @B app:1 | prune
prune-all          | tag app:1 b:1 | prune -a
prune-all-in-use   | create c1 app:1 | prune -a
prune-running      | run c1 app:1 | prune -a | drop c1 | prune -a
prune-labels       | prune -a label=n=A | prune -a label!=n=A
prune-until        | prune -a until=2001-01-01 | prune -a until=0.5h
prune-bad          | prune x=1 | prune until=never | prune dangling=maybe
prune-children     | create c1 app:1 | commit c1 kid:1 | drop c1 | prune | rm app:1 | prune | prune -a label=n=A
prune-containers   | create c1 app:1 | run c2 app:1 | sweep label=none | sweep | drop c2 | sweep
"""  # noqa: E501 - a line a scenario


WORDS = (
    (r"repository name \(.*?\) must be", "repository name must be"),
    ("Invalid filter", "invalid filter"),
)


def scenarios() -> list[ParameterSet]:
    lines = [[part.strip() for part in line.split("|")] for line in SCENARIOS.strip().splitlines()]
    return [pytest.param(steps, id=name) for name, *steps in lines]


@dataclass
class Bench:
    """One daemon with the two images, and what it has answered."""

    engine: Engine
    images: dict[str, Sample]
    packed: bytes
    base: str
    ids: dict[str, str] = field(default_factory=dict)
    containers: dict[str, str] = field(default_factory=dict)
    told: list[object] = field(default_factory=list)

    def begin(self) -> None:
        self.told, self.containers = [], {}
        self.ids = {f"@{name}": image.id for name, image in self.images.items()}
        loaded = self.engine.api.post("/images/load", self.packed, quiet=1)
        assert loaded.status == 200, loaded.body

    def end(self) -> None:
        api = self.engine.api
        for container in api.get("/containers/json", all=1).json():
            api.remove(container["Id"])
        for _ in range(3):  # children first, whatever their order
            for image in api.get("/images/json", all=1).json():
                if image["Id"] != self.base:
                    api.delete(f"/images/{image['Id']}", force=1)

    def do(self, step: str) -> None:
        verb, *words = step.split()
        reply: Reply = getattr(self, f"_{verb}")(*words)
        status = 400 if reply.status == 500 else reply.status
        self.told.append((step, status, self._plain(reply.body.decode())))
        self.told.append(self._left())

    def _rm(self, *words: str) -> Reply:
        name = quote(self._resolved(words[-1]), safe=":/")
        query = {"force": int("-f" in words), "noprune": int("-n" in words)}
        return self.engine.api.delete(f"/images/{name}", **query)

    def _tag(self, source: str, name: str) -> Reply:
        repository, tag = self._resolved(name), ""
        if "@" not in repository and ":" in repository.rpartition("/")[2]:
            repository, _, tag = repository.rpartition(":")
        path = f"/images/{quote(self._resolved(source), safe=':/')}/tag"
        return self.engine.api.post(path, repo=repository, tag=tag)

    def _create(self, name: str, image: str) -> Reply:
        body = {"Image": self._resolved(image), "HostConfig": {"NetworkMode": "none"}}
        reply = self.engine.api.post("/containers/create", body, name=name)
        if reply.status == 201:
            self.containers[name] = reply.json()["Id"]
        return reply

    def _run(self, name: str, image: str) -> Reply:
        created = self._create(name, image)
        return self.engine.api.post(f"/containers/{name}/start") if name else created

    def _pause(self, name: str) -> Reply:
        return self.engine.api.post(f"/containers/{name}/pause")

    def _drop(self, name: str) -> Reply:
        return self.engine.api.delete(f"/containers/{name}", force=1)

    def _commit(self, name: str, target: str) -> Reply:
        repository, _, tag = target.partition(":")
        query = {"container": name, "repo": repository, "tag": tag}
        reply = self.engine.api.post("/commit", {}, **query)
        if reply.status == 201:
            self.ids[f"@{target}"] = reply.json()["Id"]
        return reply

    def _prune(self, *words: str) -> Reply:
        return self._filtered("images", words, dangling=["false"] if "-a" in words else [])

    def _sweep(self, *words: str) -> Reply:
        return self._filtered("containers", words)

    def _filtered(self, kind: str, words: tuple[str, ...], **filters: list[str]) -> Reply:
        given = {name: values for name, values in filters.items() if values}
        for word in words:
            if word != "-a":
                name, value = _split(word)
                given.setdefault(name, []).append(value)
        return self.engine.api.post(f"/{kind}/prune", filters=json.dumps(given))

    def _resolved(self, text: str) -> str:
        def digits(found: re.Match[str]) -> str:
            image = self.ids[f"@{found[1]}"]
            return image.removeprefix("sha256:")[: int(found[2])] if found[2] else image

        return re.sub(r"@([AB])(?::(\d+))?(?!\d)", digits, text)

    def _plain(self, text: str) -> str:
        for name, full in self.containers.items():
            text = text.replace(full, name).replace(full[:12], name)
        for name, full in self.ids.items():
            text = text.replace(full, name).replace(full[7:], name).replace(full[7:19], name)
        try:
            document = json.loads(text)
        except ValueError:
            return text
        rows = document.get("ImagesDeleted") if isinstance(document, dict) else document
        if isinstance(rows, list):
            rows.sort(key=json.dumps)  # Docker takes them from a map
        # Chains of layers that a commit made differ in their times.
        text = json.dumps(document, sort_keys=True)
        for newer, older in WORDS:
            text = re.sub(newer, older, text)
        return re.sub(r"sha256:[0-9a-f]{64}", "sha256:…", text)

    def _left(self) -> list[tuple[str, list[str], bool]]:
        images = self.engine.api.get("/images/json", all=1).json()
        names = {full: name for name, full in self.ids.items()}
        shown = [
            (names.get(image["Id"], "?"), sorted(image["RepoTags"] or ()), bool(image["ParentId"]))
            for image in images
            if image["Id"] != self.base
        ]
        return sorted(shown, key=str)

    @staticmethod
    def now() -> str:
        seconds, fraction = divmod(time.time_ns(), 10**9)
        return f"{seconds}.{fraction:09}"

    def events(self, since: str) -> list[tuple[str, str, str]]:
        filters = json.dumps({"type": ["image"]})
        reply = self.engine.api.get("/events", since=since, until=self.now(), filters=filters)
        events = [json.loads(line) for line in reply.body.splitlines()]
        return sorted(
            (
                event["Action"],
                self._plain(event["Actor"]["ID"]),
                self._plain(event["Actor"]["Attributes"].get("name", "")).removesuffix(":latest"),
            )
            for event in events
        )


def _split(word: str) -> tuple[str, str]:
    if word.startswith("label!="):
        return "label!", word.removeprefix("label!=")
    name, _, value = word.partition("=")
    return name, value


def made(base: bytes) -> tuple[dict[str, Sample], bytes, str]:
    """Two images on busybox, in one archive, and the id of busybox."""
    files = files_of(base)
    (item,) = json.loads(files["manifest.json"])
    layers = tuple(files[path] for path in item["Layers"])
    shared = tar(Member("shared", b"s" * 100))
    images = {
        "A": _image((*layers, shared, tar(Member("a", b"a" * 20))), "A"),
        "B": _image((*layers, shared, tar(Member("b", b"b" * 3))), "B"),
    }
    content: dict[str, bytes] = {}
    manifest = []
    for name, image in images.items():
        paths = [f"{sha(layer)}/layer.tar" for layer in image.layers]
        content |= dict(zip(paths, image.layers, strict=True))
        content[f"{image.id[7:]}.json"] = image.config
        tags = ["app:1"] if name == "A" else None
        manifest.append({"Config": f"{image.id[7:]}.json", "RepoTags": tags, "Layers": paths})
    content["manifest.json"] = json.dumps(manifest).encode()
    return images, archive(content), f"sha256:{sha(files[item['Config']])}"


def _image(layers: tuple[bytes, ...], name: str) -> Sample:
    diff_ids = [f"sha256:{sha(layer)}" for layer in layers]
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": f"2024-01-0{1 + (name == 'B')}T00:00:00Z",
        "config": {"Cmd": ["/bin/busybox", "sleep", "1000"], "Labels": {"n": name}},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    return Sample(layers, json.dumps(document).encode())


@pytest.fixture(scope="module")
def benches() -> Iterator[tuple[Bench, Bench]]:
    base = ensure("busybox").read_bytes()
    images, packed, identifier = made(base)
    with Engine() as ours, Dockerd() as theirs:
        for engine in (ours, theirs):
            engine.load("busybox")
        yield (
            Bench(ours, images, packed, identifier),
            Bench(theirs, images, packed, identifier),
        )


@pytest.mark.parametrize("steps", scenarios())
def test_the_same_answers(benches: tuple[Bench, Bench], steps: list[str]) -> None:
    for bench in benches:
        bench.begin()
        try:
            since = bench.now()
            for step in steps:
                bench.do(step)
            bench.told.append(bench.events(since))
        finally:
            bench.end()
    ours, theirs = benches
    assert ours.told == theirs.told
