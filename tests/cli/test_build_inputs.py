"""Where context and Dockerfile come from, and the archive that the classic builder gets."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.cli.building.contextarchive import compressed, pack
from boxship.cli.building.inputs import (
    Archive,
    Directory,
    Empty,
    Inputs,
    Remote,
    is_git,
    is_remote,
    resolve,
)
from boxship.cli.exitcodes import ExitError

NOTHING = io.BytesIO()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "sub" / "Other").write_text("FROM other\n")
    (root / "skipped").write_text("x")
    return root


def test_a_directory_has_its_dockerfile_in_it(tree: Path) -> None:
    context = Directory(str(tree))
    assert resolve(str(tree), "", NOTHING) == Inputs(context, "Dockerfile", str(tree))
    beside = str(tree / "sub" / "Other")
    assert resolve(str(tree), beside, NOTHING) == Inputs(context, "Other", str(tree / "sub"))
    # As docker has it: what is not here may be within the context.
    assert resolve(str(tree), "sub/Other", NOTHING).directory == str(tree / "sub")


def test_standard_input_is_a_dockerfile_or_an_archive(tree: Path) -> None:
    text = b"FROM scratch\n" + b"#" * 1000
    assert resolve("-", "", io.BytesIO(text)) == Inputs(Empty(), text=text)
    assert resolve(str(tree), "-", io.BytesIO(text)) == Inputs(Directory(str(tree)), text=text)
    for mode in ("w", "w:gz", "w:xz", "w:bz2"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode) as archive:
            archive.add(tree, ".")
        found = resolve("-", "sub/Other", io.BytesIO(buffer.getvalue()))
        assert found.dockerfile == "sub/Other"
        assert isinstance(found.context, Archive)
        assert b"".join(found.context.pieces()) == buffer.getvalue()


@pytest.mark.parametrize(
    ("text", "git"),
    [
        ("https://example.com/a.git", True),
        ("https://example.com/a.git#main:sub", True),
        ("https://example.com/a.tar.gz", False),
        ("http://example.com/Dockerfile", False),
        ("git://example.com/a", True),
        ("git@example.com:a/b.git", True),
        ("me@host.example:repo", True),
        ("ssh://git@example.com/a", True),
        ("github.com/moby/moby", True),
    ],
)
def test_what_the_engine_fetches(text: str, git: bool) -> None:
    assert is_remote(text)
    assert is_git(text) is git
    assert resolve(text, "", NOTHING) == Inputs(Remote(text))
    assert resolve(text, "sub/Df", NOTHING) == Inputs(Remote(text), "sub/Df")


@pytest.mark.parametrize("text", [".", "dir", "./a:b", "/abs", "file.git.d"])
def test_what_is_of_this_machine(text: str) -> None:
    assert not is_remote(text)


@pytest.mark.parametrize(
    ("context", "file", "stdin", "reason"),
    [
        ("nowhere", "", b"", 'path "nowhere" not found'),
        ("TREE/Dockerfile", "", b"", "not a directory"),
        ("TREE", "nothing", b"", "failed to read dockerfile: open nothing: no such file"),
        ("-", "-", b"", "both build context and dockerfile"),
        ("-", "", b"", "standard input is empty"),
        ("-", "", b" \n", "standard input is empty"),
    ],
)
def test_what_is_not_there_is_named(
    tree: Path, context: str, file: str, stdin: bytes, reason: str
) -> None:
    with pytest.raises((ExitError, InvalidArgumentError), match=reason):
        resolve(context.replace("TREE", str(tree)), file, io.BytesIO(stdin))


def names(pieces: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(pieces)) as archive:
        return {member.name: member for member in archive}


def test_the_archive_has_what_the_rules_leave(tree: Path) -> None:
    (tree / ".dockerignore").write_text("# all\nskipped\nDockerfile\n.dockerignore\n")
    os.symlink("sub/Other", tree / "link")
    os.chmod(tree / "sub" / "Other", 0o4755)
    pieces, name = pack(str(tree), "Dockerfile", None)
    found = names(b"".join(pieces))
    assert name == "Dockerfile"
    assert sorted(found) == [".dockerignore", "Dockerfile", "link", "sub", "sub/Other"]
    assert found["link"].linkname == "sub/Other"
    assert (found["sub/Other"].mode, found["sub/Other"].uid) == (0o4755, 0)


def test_a_dockerfile_from_elsewhere_is_no_part_of_the_context(tree: Path) -> None:
    (tree / ".dockerignore").write_text("skipped")
    pieces, name = pack(str(tree), "", b"FROM elsewhere\n")
    data = b"".join(pieces)
    assert sorted(names(data)) == sorted(["Dockerfile", "sub", "sub/Other", ".dockerignore", name])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        rules, text = archive.extractfile(".dockerignore"), archive.extractfile(name)
        assert text is not None
        assert text.read() == b"FROM elsewhere\n"
        assert rules is not None
        assert rules.read().decode().split() == ["skipped", ".dockerignore", name]


def test_without_a_context_there_is_the_dockerfile_alone() -> None:
    pieces, name = pack("", "", b"FROM x\n")
    assert list(names(b"".join(pieces))) == [name]


def test_a_dockerfile_that_is_not_there_is_noticed(tree: Path) -> None:
    pieces, _ = pack(str(tree), "Missing", None)
    with pytest.raises(InvalidArgumentError, match="cannot find the Dockerfile Missing"):
        b"".join(pieces)


def test_archives_can_be_compressed(tree: Path) -> None:
    pieces, _ = pack(str(tree), "Dockerfile", None)
    assert "Dockerfile" in names(gzip.decompress(b"".join(compressed(pieces))))
