"""Importing root file systems, with changes; and the built-in image."""

import gzip
import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.engine.images import hello
from boxship.engine.images.changes import apply_changes
from boxship.engine.images.elf import printing_program
from boxship.engine.images.intake import ImportOptions
from boxship.oci.digest import Digest
from boxship.oci.image import Empty, Healthcheck, ImageConfig
from boxship.oci.platform import Platform
from support.shop import Shop, chunks, run
from support.tars import Member, tar

TREE = tar(Member("bin/sh", b"#!", mode=0o755))


def change(*lines: str, before: ImageConfig | None = None) -> ImageConfig:
    return apply_changes(before or ImageConfig(), lines)


@pytest.mark.parametrize(
    ("lines", "config"),
    [
        (["CMD echo hi"], ImageConfig(cmd=("/bin/sh", "-c", "echo hi"))),
        (['cmd ["echo", "hi"]'], ImageConfig(cmd=("echo", "hi"))),
        (["ENTRYPOINT []"], ImageConfig(entrypoint=())),
        (['SHELL ["/bin/ash","-c"]', "CMD x"],
         ImageConfig(shell=("/bin/ash", "-c"), cmd=("/bin/ash", "-c", "x"))),
        (["ENV a=1 b='x y'", "ENV a=2"], ImageConfig(env=("a=2", "b=x y"))),
        (["ENV name the rest of it"], ImageConfig(env=("name=the rest of it",))),
        (["LABEL a=b \"c d\"=e"], ImageConfig(labels={"a": "b", "c d": "e"})),
        (["EXPOSE 80 53/UDP 90-91"], ImageConfig(exposed_ports={
            p: Empty() for p in ("80/tcp", "53/udp", "90/tcp", "91/tcp")})),
        (["VOLUME /a /b", 'VOLUME ["/c"]'],
         ImageConfig(volumes={p: Empty() for p in ("/a", "/b", "/c")})),
        (["WORKDIR /a", "WORKDIR b"], ImageConfig(working_dir="/a/b")),
        (["USER me:us", "STOPSIGNAL SIGINT"], ImageConfig(user="me:us", stop_signal="SIGINT")),
        (["ONBUILD RUN x"], ImageConfig(on_build=("RUN x",))),
        (['CMD ["a"]', 'ENTRYPOINT ["b"]'], ImageConfig(cmd=("a",), entrypoint=("b",))),
        (["ENV A='x y'", "ENV B=$A/${A} C=\"$A\" D='$A' E=\\$A", "WORKDIR /${NONE:-n}${A:+s}"],
         ImageConfig(env=("A=x y", "B=x y/x y", "C=x y", "D=$A", "E=$A"), working_dir="/ns")),
        (['LABEL l="it\'s $A\'s"'], ImageConfig(labels={"l": "it's 's"})),
        (["CMD echo $A"], ImageConfig(cmd=("/bin/sh", "-c", "echo $A"))),
        (["HEALTHCHECK NONE"], ImageConfig(healthcheck=Healthcheck(test=("NONE",)))),
        (["HEALTHCHECK --interval=1m30s --retries=3 --start-period=2s CMD curl x"],
         ImageConfig(healthcheck=Healthcheck(
             ("CMD-SHELL", "curl x"), interval=90 * 10**9, retries=3, start_period=2 * 10**9))),
        (['HEALTHCHECK CMD ["a", "b"]'],
         ImageConfig(healthcheck=Healthcheck(("CMD", "a", "b")))),
    ],
)  # fmt: skip
def test_changes(lines: list[str], config: ImageConfig) -> None:
    assert change(*lines) == config


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("RUN rm -rf /", "^RUN is not a valid change command"),
        ("", "file with no instructions"),
        ("EXPOSE eighty", "invalid containerPort: eighty"),
        ("EXPOSE 70000", "invalid port range"),
        ("ENV", "at least one argument"),
        ("ENV a", "two arguments"),
        ("ENV a='unclosed", "No closing quotation"),
        ("SHELL sh -c", "JSON form"),
        ("ONBUILD FROM x", "not allowed"),
        ("WORKDIR", "exactly one argument"),
        ("HEALTHCHECK", "at least one argument"),
        ("HEALTHCHECK curl x", 'unknown type "CURL"'),
        ("HEALTHCHECK --bogus=1 CMD x", "flag: bogus"),
        ("HEALTHCHECK --interval=1us CMD x", "less than 1ms"),
        ("HEALTHCHECK --retries=many CMD x", "not a number"),
    ],
)
def test_changes_that_are_refused(line: str, message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        change(line)


def test_an_entry_point_takes_an_older_command_away() -> None:
    before = ImageConfig(cmd=("old",), entrypoint=("e",))
    assert change('ENTRYPOINT ["new"]', before=before) == ImageConfig(entrypoint=("new",))


@pytest.mark.privileged
def test_import_makes_an_image_of_one_layer(shop: Shop) -> None:
    options = ImportOptions("mine", ("CMD sh",), "from far away", Platform("linux", "arm64"))
    image_id = run(shop.images.import_(chunks(gzip.compress(TREE)), options))
    detail = shop.images.inspect("mine")
    assert detail.id == str(image_id)
    assert detail.layers == (str(Digest.of(TREE)),)
    assert detail.config.cmd == ("/bin/sh", "-c", "sh")
    assert (detail.comment, detail.architecture) == ("from far away", "arm64")
    assert [step.comment for step in shop.images.history("mine")] == ["from far away"]
    assert shop.actions() == ["tag", "import"]


@pytest.mark.privileged
@pytest.mark.parametrize(
    ("data", "options"),
    [
        (TREE[:513], ImportOptions("mine")),
        (TREE, ImportOptions("Mine")),
        (TREE, ImportOptions(f"mine@sha256:{'0' * 64}")),
        (TREE, ImportOptions("mine", ("RUN x",))),
    ],
)
def test_a_failed_import_leaves_nothing(shop: Shop, data: bytes, options: ImportOptions) -> None:
    with pytest.raises(InvalidArgumentError):
        run(shop.images.import_(chunks(data), options))
    assert shop.disk() == {}
    assert shop.tags() == {}


@pytest.mark.privileged
def test_the_built_in_image_is_made_once(shop: Shop) -> None:
    first = run(shop.images.ensure_builtin("hello-world"))
    assert run(shop.images.ensure_builtin("docker.io/library/hello-world:latest")) == first
    assert shop.tags() == {str(first): ("hello-world:latest",)}
    assert shop.actions() == ["pull"]
    with pytest.raises(NotFoundError, match="no image busybox:latest is built in"):
        run(shop.images.ensure_builtin("busybox"))
    with pytest.raises(InvalidArgumentError):
        run(shop.images.ensure_builtin("Hello World"))


def test_the_built_in_image_is_the_same_everywhere() -> None:
    made = hello.make("amd64")
    assert made == hello.make("amd64")
    assert made.diff_id == Digest.of(made.layer)
    assert made.config != hello.make("arm64").config
    with pytest.raises(KeyError):
        hello.make("s390x")


RUNNERS = {
    ("amd64", "x86_64"): [],
    ("amd64", "aarch64"): ["qemu-x86_64-static"],
    ("arm64", "aarch64"): [],
    ("arm64", "x86_64"): ["qemu-aarch64-static"],
}


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("length", [0, 1, 3000])
def test_the_program_runs(tmp_path: Path, architecture: str, length: int) -> None:
    runner = RUNNERS.get((architecture, platform.machine()))
    if runner is None or any(shutil.which(program) is None for program in runner):
        pytest.skip(f"cannot run {architecture} programs here")
    text = b"0123456789" * (length // 10) + b"x" * (length % 10)
    path = tmp_path / "program"
    path.write_bytes(printing_program(text, architecture))
    path.chmod(0o755)
    done = subprocess.run([*runner, path], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, text)


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", "X86-64"), ("arm64", "AArch64")])
def test_readelf_understands_the_program(tmp_path: Path, architecture: str, machine: str) -> None:
    if not any(os.access(f"{d}/readelf", os.X_OK) for d in os.environ["PATH"].split(":")):
        pytest.skip("readelf is not installed")
    path = tmp_path / "program"
    path.write_bytes(printing_program(b"text", architecture))
    done = subprocess.run(["readelf", "-hlW", path], capture_output=True, check=True, text=True)
    assert machine in done.stdout
    assert "GNU_STACK" in done.stdout
    assert done.stderr == ""
