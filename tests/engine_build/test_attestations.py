"""What is told about an image beside it."""

import json

import pytest

from boxship.engine.build.attestations.provenance import (
    Facts,
    Material,
    image_uri,
    provenance,
)
from boxship.engine.build.attestations.sbom import Package, packages, purl, sbom
from boxship.engine.build.attestations.statements import Subject

DIGEST = "sha256:" + "ab" * 32
SUBJECT = Subject("_", DIGEST)


class Files:
    """A tree that is a dictionary."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def names(self, directory: str) -> tuple[str, ...]:
        below = f"{directory}/"
        inside = (path.removeprefix(below) for path in self.files if path.startswith(below))
        return tuple(sorted({path.split("/")[0] for path in inside}))


@pytest.fixture
def tree() -> Files:
    made = Files()
    made.files = {
        "etc/os-release": b'ID=debian\nVERSION_ID="12"\n',
        "var/lib/dpkg/status": b"""\
Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc (2.36-9)
Version: 2.36-9+deb12u9
Description: the C library
 which everything needs

Package: gone
Status: deinstall ok config-files
Version: 1
""",
        "var/lib/dpkg/status.d/base": b"Package: base-files\nVersion: 12.4\n",
        "var/lib/dpkg/status.d/base.md5sums": b"not: a package\n",
        "lib/apk/db/installed": b"C:Q1\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\no:musl\n\n",
        "usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO": (
            b"Name: six\nVersion: 1.16.0\n"
        ),
        "usr/local/lib/python3.11/site-packages/Flask_Login-0.6.dist-info/METADATA": (
            b"Metadata-Version: 2.1\nName: Flask_Login\nVersion: 0.6\n\nName: not this\n"
        ),
    }
    return made


def test_packages_of_all_databases_are_found(tree: Files) -> None:
    assert sorted(packages(tree)) == [
        Package("apk", "musl", "1.2.4-r2", "x86_64", "musl", "MIT"),
        Package("deb", "base-files", "12.4"),
        Package("deb", "libc6", "2.36-9+deb12u9", "amd64", "glibc"),
        Package("pypi", "Flask_Login", "0.6"),
        Package("pypi", "six", "1.16.0"),
    ]


def test_a_package_has_a_url() -> None:
    libc = Package("deb", "libc6", "2.36-9+deb12u9", "amd64", "glibc")
    assert purl(libc, ("debian", "12")) == (
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u9?arch=amd64&distro=debian-12&upstream=glibc"
    )
    assert purl(Package("pypi", "Flask_Login", "0.6"), ("debian", "12")) == (
        "pkg:pypi/flask-login@0.6"
    )


def test_a_bill_of_materials_is_the_same_for_the_same(tree: Files) -> None:
    made = sbom("image", tree, 1_700_000_000_123_000_000, [SUBJECT])
    assert made == sbom("image", tree, 1_700_000_000_456_000_000, [SUBJECT])
    document = json.loads(made.data)
    assert document["predicateType"] == made.predicate_type == "https://spdx.dev/Document"
    assert document["subject"] == [{"name": "_", "digest": {"sha256": "ab" * 32}}]
    predicate = document["predicate"]
    assert predicate["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
    identifiers = [each["SPDXID"] for each in predicate["packages"]]
    assert len(identifiers) == len(set(identifiers)) == 5
    assert {each["relatedSpdxElement"] for each in predicate["relationships"]} == set(identifiers)


def test_an_empty_image_has_an_empty_bill() -> None:
    document = json.loads(sbom("scratch", Files(), 0, [SUBJECT]).data)
    assert document["predicate"]["packages"] == []


def facts(mode: str, **attributes: str) -> Facts:
    return Facts(
        mode,
        attributes=attributes | {"build-arg:TOKEN": "confidential", "target": "last"},
        materials=[Material(image_uri("docker.io/library/busybox:1", "linux/amd64"), DIGEST)],
        platform="linux/amd64",
        reference="ref",
        started_ns=1_700_000_000_000_000_000,
        finished_ns=1_700_000_001_000_000_000,
        dockerfile=("Dockerfile", b"FROM busybox:1\n"),
        source="https://example.com/a.git",
        revision="abc",
    )


def test_the_short_form_tells_nothing_confidential() -> None:
    made = provenance(facts("min"), [SUBJECT])
    assert b"confidential" not in made.data
    assert b"TOKEN" not in made.data
    predicate = json.loads(made.data)["predicate"]
    assert predicate["buildType"] == "https://mobyproject.org/buildkit@v1"
    assert predicate["materials"] == [
        {
            "uri": "pkg:docker/busybox@1?platform=linux%2Famd64",
            "digest": {"sha256": "ab" * 32},
        }
    ]
    assert predicate["invocation"]["parameters"]["args"] == {"target": "last"}
    assert predicate["invocation"]["environment"] == {"platform": "linux/amd64"}
    metadata = predicate["metadata"]
    assert metadata["buildInvocationID"] == "ref"
    assert metadata["completeness"]["parameters"] is False
    vcs = {"source": "https://example.com/a.git", "revision": "abc"}
    assert metadata["https://mobyproject.org/buildkit@v1#metadata"] == {"vcs": vcs}


def test_the_long_form_has_the_dockerfile_and_the_arguments() -> None:
    context = "https://example.com/a.git#main"
    predicate = json.loads(provenance(facts("max", context=context), [SUBJECT]).data)["predicate"]
    invocation = predicate["invocation"]
    assert invocation["configSource"] == {"uri": context, "entryPoint": "Dockerfile"}
    assert invocation["parameters"]["args"]["build-arg:TOKEN"] == "confidential"
    assert invocation["parameters"]["locals"] == []
    ours = predicate["metadata"]["https://mobyproject.org/buildkit@v1#metadata"]
    assert ours["source"]["infos"][0]["data"] == "RlJPTSBidXN5Ym94OjEK"
    assert predicate["metadata"]["completeness"]["materials"] is True


def test_another_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="use min or max"):
        provenance(facts("some"), [SUBJECT])


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("busybox", "pkg:docker/busybox@latest"),
        ("docker.io/library/busybox:1.36", "pkg:docker/busybox@1.36"),
        ("localhost:5000/a/b:2", "pkg:docker/localhost:5000/a/b@2"),
        ("localhost:5000/a/b", "pkg:docker/localhost:5000/a/b@latest"),
        (f"a/b:1@{DIGEST}", f"pkg:docker/a/b@1?digest={DIGEST}"),
    ],
)
def test_an_image_has_a_url(name: str, uri: str) -> None:
    assert image_uri(name, "") == uri
