"""The little languages of ``build``'s flags, and the wish they make."""

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.cli.building import specs
from boxship.cli.building.attributes import exporters, frontend_attributes
from boxship.cli.building.flags import FLAGS
from boxship.cli.building.options import BuildOptions, options_of
from boxship.cli.building.specs import Attestation, Cache, Call, Output, Secret, Ssh
from boxship.cli.flags import FlagError, Parser


def wished(*line: str, **environment: str) -> BuildOptions:
    values, _ = Parser(FLAGS).parse(line)
    return options_of(values, environment, ())


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("out", Output("local", {}, "out")),
        ("-", Output("tar", {}, "-")),
        ("type=local,dest=out", Output("local", {}, "out")),
        ("type=tar", Output("tar", {}, "-")),
        ("type=tar,dest=a.tar", Output("tar", {}, "a.tar")),
        ("type=oci,dest=a.tar,compression=zstd", Output("oci", {"compression": "zstd"}, "a.tar")),
        ("type=docker", Output("docker", {})),
        ("type=registry", Output("image", {"push": "true"})),
        ("type=image,name=a,push=1", Output("image", {"name": "a", "push": "true"})),
        ('type=image,"name=a,b"', Output("image", {"name": "a,b"})),
    ],
)
def test_outputs_are_read(text: str, output: Output) -> None:
    assert specs.parse_output(text) == output


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("type=local", "dest is required"),
        ("type=local,dest=-", "cannot be stdout"),
        ("type=disk,dest=x", "unknown output type 'disk'"),
        ("dest=x", "type is required"),
        ("type=tar,x", "invalid field 'x'"),
    ],
)
def test_wrong_outputs_name_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        specs.parse_output(text)


def test_caches_secrets_agents_and_attestations_are_read() -> None:
    assert specs.parse_cache("user/app") == Cache("registry", {"ref": "user/app"})
    assert specs.parse_cache("type=inline") == Cache("inline", {})
    assert specs.parse_secret("id=a,src=f") == Secret("a", "f")
    assert specs.parse_secret("id=a,env=V") == Secret("a", "", "V")
    assert specs.parse_secret("id=a,type=env,src=V") == Secret("a", "", "V")
    assert specs.parse_ssh("default") == Ssh("default")
    assert specs.parse_ssh("id=a,b") == Ssh("id", ("a", "b"))
    max_mode = Attestation("provenance", (("mode", "max"),))
    assert specs.parse_attestation("type=provenance,mode=max") == max_mode
    assert specs.parse_shorthand("sbom", "false") == Attestation("sbom", (), disabled=True)
    assert specs.parse_call("check,format=json") == Call("check", json=True)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (("--secret", "src=f"), "id is required"),
        (("--secret", "tok"), "invalid field 'tok'"),
        (("--cache-from", "ref=x"), "type required"),
        (("--build-context", "x"), "expected key=value"),
        (("--add-host", "x"), "HOST:ADDRESS"),
        (("--call", "run"), "unknown method 'run'"),
        (("--annotation", "a"), "expected key=value"),
        (("--annotation", "layer:a=b"), "unknown annotation type 'layer'"),
        (("--ulimit", "files=1"), "invalid ulimit type"),
    ],
)
def test_wrong_flags_are_refused_as_they_are_read(line: tuple[str, ...], reason: str) -> None:
    with pytest.raises(FlagError, match=reason):
        wished(*line)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (("--no-cache", "--no-cache-filter", "a"), "cannot currently be combined"),
        (("--progress", "fancy"), "invalid progress mode 'fancy'"),
        (("-q", "--progress", "plain"), "cannot be used together"),
        (("--on-error", "retry"), "use stop or shell"),
        (("--resource", "disk=1"), "unknown resource 'disk'"),
        (("--resource", "memory=x"), "invalid --resource"),
        (("-t", "UPPER"), "invalid tag"),
        (("-o", "-", "-o", "type=tar"), "only one output"),
    ],
)
def test_wishes_that_contradict_themselves_are_refused(line: tuple[str, ...], reason: str) -> None:
    with pytest.raises(InvalidArgumentError, match=reason):
        wished(*line)


@pytest.mark.parametrize(
    ("line", "attributes"),
    [
        ((), {}),
        (("--target", "a"), {"target": "a"}),
        (("--build-arg", "A=1", "--build-arg", "B", "--build-arg", "C"),
         {"build-arg:A": "1", "build-arg:B": "ours"}),
        (("--label", "k=v"), {"label:k": "v"}),
        (("--platform", "linux/amd64,linux/arm64"), {"platform": "linux/amd64,linux/arm64"}),
        (("--add-host", "a:1.2.3.4", "--add-host", "b=::1"), {"add-hosts": "a=1.2.3.4,b=::1"}),
        (("--network", "host"), {"force-network-mode": "host"}),
        (("--network", "default"), {}),
        (("--no-cache",), {"no-cache": ""}),
        (("--no-cache-filter", "a,b"), {"no-cache": "a,b"}),
        (("--pull",), {"image-resolve-mode": "pull"}),
        (("--cache-from", "r"), {"cache-imports": '[{"Type":"registry","Attrs":{"ref":"r"}}]'}),
        (("--shm-size", "1m"), {"shm-size": "1048576"}),
        (("--ulimit", "nofile=1:2"), {"ulimit": "nofile=1:2"}),
        (("--sbom", "true", "--provenance", "mode=max"),
         {"attest:provenance": "mode=max", "attest:sbom": ""}),
        (("--provenance", "false"), {"attest:provenance": "disabled=true"}),
        (("--explain-cache", "--on-error", "shell", "-m", "64m", "--squash"),
         {"boxship:explain-cache": "1", "boxship:on-error": "keep",
          "boxship:memory": "67108864", "boxship:squash": "1"}),
        (("--resource", "cpu-quota=5", "--memory-swap", "-1"),
         {"boxship:cpu-quota": "5", "boxship:memory-swap": "-1"}),
    ],
)  # fmt: skip
def test_a_wish_in_the_terms_of_the_frontend(
    line: tuple[str, ...], attributes: dict[str, str]
) -> None:
    assert frontend_attributes(wished(*line, B="ours")) == attributes


def test_the_date_of_the_sources_comes_from_the_environment() -> None:
    attributes = frontend_attributes(wished(SOURCE_DATE_EPOCH="7"))
    assert attributes == {"build-arg:SOURCE_DATE_EPOCH": "7"}
    given = wished("--build-arg", "SOURCE_DATE_EPOCH=9", SOURCE_DATE_EPOCH="7")
    assert frontend_attributes(given) == {"build-arg:SOURCE_DATE_EPOCH": "9"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ((), [("moby", {}, "")]),
        (("-t", "a", "-t", "b:1"),
         [("moby", {"name": "docker.io/library/a:latest,docker.io/library/b:1"}, "")]),
        (("--push", "-t", "a"),
         [("moby", {"name": "docker.io/library/a:latest", "push": "true"}, "")]),
        (("-o", "out"), [("local", {}, "out")]),
        (("-o", "out", "--load"), [("local", {}, "out"), ("moby", {}, "")]),
        (("-o", "type=oci,dest=x", "-t", "a", "--annotation", "manifest:k=v"),
         [("oci", {"name": "docker.io/library/a:latest", "annotation-manifest.k": "v"}, "x")]),
        (("--check",), []),
    ],
)  # fmt: skip
def test_outputs_become_exporters(line: tuple[str, ...], expected: list[object]) -> None:
    assert [tuple(each) for each in exporters(wished(*line))] == expected


def test_what_is_pushed_needs_a_name() -> None:
    with pytest.raises(InvalidArgumentError, match="tag is needed"):
        exporters(wished("--push"))
