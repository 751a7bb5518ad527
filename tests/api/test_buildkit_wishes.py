"""What clients of BuildKit write, as requests for the builder."""

from typing import Any

import pytest

from boxship.api.buildkit.usage import prune_request
from boxship.api.buildkit.wishes import Wishes, request_of
from boxship.base.errors import BoxshipError
from boxship.engine.build.requests import (
    ArchiveOutput,
    Attestations,
    BuildRequest,
    CacheExport,
    CacheImport,
    CacheKind,
    CacheUse,
    ClientDirectory,
    Compression,
    DockerfileAt,
    FilesOutput,
    ImageContext,
    ImageOutput,
    LayerOptions,
    LayoutContext,
    Pull,
    RemoteSource,
    TargetContext,
)
from boxship.oci.platform import Platform
from boxship.oci.reference import parse
from boxship.solver.operations import Limits, Ulimit
from boxship.wire.buildkit.control import (
    CacheOptions,
    CacheOptionsEntry,
    Exporter,
    PruneRequest,
    SolveRequest,
)


def asked(inputs: dict[str, str] | None = None, **attributes: str) -> BuildRequest:
    return request_of(SolveRequest("r"), Wishes(attributes, inputs or {}))


ATTRIBUTES: list[tuple[dict[str, str], str, Any]] = [
    ({}, "context", ClientDirectory("context")),
    ({}, "dockerfile", DockerfileAt("Dockerfile", ClientDirectory("dockerfile"))),
    ({"filename": "d/Other"}, "dockerfile", DockerfileAt("d/Other", ClientDirectory("dockerfile"))),
    ({"context": "https://a/b.git#c"}, "context", RemoteSource("https://a/b.git#c")),
    ({"context": "https://a/b.git#c"}, "dockerfile", DockerfileAt("Dockerfile")),
    (
        {"context": "https://a/b.git", "dockerfilekey": "dockerfile"},
        "dockerfile",
        DockerfileAt("Dockerfile", ClientDirectory("dockerfile")),
    ),
    (
        {"context:a": "local:a", "context:b": "docker-image://b:1", "context:c": "target:d",
         "context:d": "https://e", "context:f": "oci-layout://store@sha256:0",
         "context:g": "input:x"},
        "contexts",
        {"a": ClientDirectory("a"), "b": ImageContext("b:1"), "c": TargetContext("d"),
         "d": RemoteSource("https://e"), "f": LayoutContext("store", "store@sha256:0"),
         "g": TargetContext("x")},
    ),
    ({"target": "t"}, "target", "t"),
    ({"build-arg:A": "1", "build-arg:B": ""}, "build_args", {"A": "1", "B": ""}),
    ({"label:a.b": "c=d"}, "labels", {"a.b": "c=d"}),
    ({"platform": "linux/amd64,linux/arm64"}, "platforms",
     (Platform("linux", "amd64"), Platform("linux", "arm64"))),
    ({"no-cache": ""}, "cache", CacheUse(disabled=True)),
    ({"no-cache": "a,b"}, "cache", CacheUse(disabled_stages=("a", "b"))),
    ({"cache-from": "a,b"}, "cache",
     CacheUse(imports=tuple(CacheImport(CacheKind.REGISTRY, {"ref": r}) for r in "ab"))),
    ({"cache-imports": '[{"Type":"local","Attrs":{"src":"/a"}}]'}, "cache",
     CacheUse(imports=(CacheImport(CacheKind.LOCAL, {"src": "/a"}),))),
    ({"image-resolve-mode": "pull"}, "pull", Pull.ALWAYS),
    ({"image-resolve-mode": "local"}, "pull", Pull.MISSING),
    ({"force-network-mode": "host"}, "network", "host"),
    ({"force-network-mode": "sandbox"}, "network", "default"),
    ({"add-hosts": "a=1.2.3.4,b=::1"}, "extra_hosts", (("a", "1.2.3.4"), ("b", "::1"))),
    ({"hostname": "h"}, "hostname", "h"),
    ({"build-arg:SOURCE_DATE_EPOCH": "7"}, "source_date_epoch", 7),
    ({"shm-size": "64", "cgroup-parent": "/c", "ulimit": "nofile=1:2,core=0"}, "limits",
     Limits(shm_size=64, cgroup_parent="/c",
            ulimits=(Ulimit("nofile", 1, 2), Ulimit("core", 0, 0)))),
    ({"boxship:memory": "9", "boxship:cpu-quota": "8"}, "limits", Limits(memory=9, cpu_quota=8)),
    ({"boxship:explain-cache": "1"}, "explain", True),
    ({"boxship:on-error": "keep"}, "keep_failed", True),
    ({"boxship:squash": "1"}, "squash", True),
    ({"boxship:security-opt": "a,b"}, "security_options", ("a", "b")),
    ({"requestid": "frontend.lint"}, "check_only", True),
    ({"attest:provenance": "mode=max"}, "attestations",
     Attestations("max", provenance_attributes={"mode": "max"})),
    ({"attest:provenance": "disabled=true"}, "attestations",
     Attestations("", provenance_attributes={"disabled": "true"})),
    ({"attest:sbom": '"generator=a,b"'}, "attestations",
     Attestations(sbom=True, sbom_attributes={"generator": "a,b"})),
]  # fmt: skip


@pytest.mark.parametrize(("attributes", "name", "wanted"), ATTRIBUTES, ids=lambda v: str(v)[:40])
def test_attributes(attributes: dict[str, str], name: str, wanted: object) -> None:
    assert getattr(asked(**attributes), name) == wanted


def test_inputs_are_results_of_other_builds() -> None:
    request = asked({"context": "r1", "dockerfile": "r2", "x": "r3"}, **{"context:y": "input:x"})
    assert request.context == TargetContext("r1")
    assert request.dockerfile == DockerfileAt("Dockerfile", TargetContext("r2"))
    assert request.contexts == {"y": TargetContext("r3")}


OUTPUTS: list[tuple[str, dict[str, str], Any]] = [
    ("moby", {"name": "a,b:1"}, ImageOutput((parse("a:latest"), parse("b:1")))),
    ("moby", {"name": "a", "push": "true"}, ImageOutput((parse("a:latest"),))),
    ("image", {"name": "a", "push": "true", "registry.insecure": "1"},
     ImageOutput((parse("a:latest"),), push=True, insecure=True)),
    ("image", {"name": "a", "push": "1", "push-by-digest": "1"},
     ImageOutput((parse("a:latest"),), push=True, push_by_digest=True)),
    ("registry", {"name": "a"}, ImageOutput((parse("a:latest"),), push=True)),
    ("image", {"compression": "zstd", "compression-level": "3", "oci-mediatypes": "true",
               "rewrite-timestamp": "true", "annotation.k": "v", "annotation-index.i": "w"},
     ImageOutput(layers=LayerOptions(Compression.ZSTD, 3, oci_types=True, rewrite_timestamp=True,
                                     annotations={"k": "v", "index:i": "w"}))),
    ("oci", {"tar": "false"}, ArchiveOutput(oci=True, tar=False,
     metadata={"buildkit-attachable-exporter-id": "0"}, layers=LayerOptions(oci_types=True))),
    ("docker", {"name": "a"}, ArchiveOutput(oci=False, names=(parse("a:latest"),),
     metadata={"buildkit-attachable-exporter-id": "0"})),
    ("local", {"platform-split": "false"}, FilesOutput(tar=False, platform_split=False,
     metadata={"buildkit-attachable-exporter-id": "0"})),
    ("tar", {}, FilesOutput(tar=True, metadata={"buildkit-attachable-exporter-id": "0"})),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "attributes", "wanted"), OUTPUTS)
@pytest.mark.parametrize("several", [False, True])
def test_outputs(kind: str, attributes: dict[str, str], wanted: object, several: bool) -> None:
    """Older clients know of one exporter."""
    message = SolveRequest(exporter=kind, exporter_attrs=attributes)
    if several:
        message = SolveRequest(exporters=(Exporter(kind, attributes),))
    assert request_of(message, Wishes({}, {})).outputs == (wanted,)


def test_caches_of_the_message() -> None:
    entry = CacheOptionsEntry("registry", {"ref": "a"})
    exports = (CacheOptionsEntry("inline"), CacheOptionsEntry("local", {"dest": "/d"}))
    message = SolveRequest(
        cache=CacheOptions(import_refs=("a",), imports=(entry,), exports=exports, export_ref="e")
    )
    assert request_of(message, Wishes({}, {})).cache == CacheUse(
        imports=(CacheImport(CacheKind.REGISTRY, {"ref": "a"}),),
        exports=(
            CacheExport(CacheKind.INLINE),
            CacheExport(CacheKind.LOCAL, {"dest": "/d"}),
            CacheExport(CacheKind.REGISTRY, {"ref": "e"}),
        ),
    )


WRONG = [
    ({"platform": "a/b/c/d/e"}, "failed to parse platform"),
    ({"image-resolve-mode": "x"}, "invalid image-resolve-mode: x"),
    ({"shm-size": "much"}, "invalid number for shm-size: 'much'"),
    ({"ulimit": "nofile"}, "invalid ulimit 'nofile'"),
    ({"add-hosts": "a"}, "invalid additional host 'a'"),
    ({"boxship:squash": "maybe"}, "invalid boolean value for boxship:squash: 'maybe'"),
    ({"context:a": "b"}, "invalid context source b for a"),
    ({"context:a": "x://b"}, "unsupported context source x for a"),
    ({"cache-imports": "{"}, "failed to unmarshal cache-imports"),
    ({"cache-imports": '[{"Type":"gha"}]'}, "caches of type 'gha' are not supported"),
    ({"build-arg:SOURCE_DATE_EPOCH": "now"}, "SOURCE_DATE_EPOCH: 'now'"),
]


@pytest.mark.parametrize(("attributes", "complaint"), WRONG)
def test_what_is_wrong_is_named(attributes: dict[str, str], complaint: str) -> None:
    with pytest.raises(BoxshipError, match=complaint):
        asked(**attributes)


@pytest.mark.parametrize(
    ("exporter", "complaint"),
    [
        (Exporter("other"), "exporter 'other' could not be found"),
        (Exporter("registry"), "tag is needed when pushing"),
        (Exporter("image", {"name": "A"}), "invalid image name"),
        (Exporter("image", {"compression": "lzma"}), "unsupported layer compression type: 'lzma'"),
    ],
)
def test_wrong_outputs(exporter: Exporter, complaint: str) -> None:
    with pytest.raises(BoxshipError, match=complaint):
        request_of(SolveRequest(exporters=(exporter,)), Wishes({}, {}))


def test_prune_filters() -> None:
    request = prune_request(PruneRequest(("type==regular,id~=^a", "", "shared"), True, 1, 2, 3, 4))
    assert request.filters == {"type": ("regular",), "id": ("~=^a",), "shared": ("true",)}
    assert (request.all, request.keep_duration_ns, request.keep_bytes) == (True, 1, 2)
    assert (request.max_used_bytes, request.min_free_bytes) == (3, 4)
