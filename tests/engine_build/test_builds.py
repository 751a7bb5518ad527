"""Whole builds: what is found again, what is made anew, what a failure leaves. One engine."""

import asyncio
import http.server
import io
import os
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.engine.build.failures import (
    BuildCancelledError,
    InvalidDockerfileError,
    StepFailedError,
    excerpt,
)
from boxship.engine.build.progress import BuildPlan, CacheMiss, VertexWarning
from boxship.engine.build.requests import (
    CacheUse,
    ClientDirectory,
    ImageContext,
    LayoutContext,
    PruneRequest,
    Pull,
)
from boxship.engine.settings import BuildCacheSettings, CachePolicy
from boxship.kernel.mounts import mount, umount2
from boxship.oci.image import Image, decode
from boxship.oci.platform import parse as parse_platform
from support.building import LocalClient, Told, Workshop, workshop, write
from support.opened import until

pytestmark = pytest.mark.privileged


@pytest.fixture(scope="module")
def _shop() -> Iterator[Workshop]:
    with workshop() as made:
        yield made


@pytest.fixture
def shop(_shop: Workshop) -> Iterator[Workshop]:
    yield _shop
    _shop.settle()


@pytest.fixture
def client(tmp_path: Path) -> LocalClient:
    directory = tmp_path / "context"
    directory.mkdir()
    return LocalClient(directory, identity=str(tmp_path))


def image(shop: Workshop, name: str) -> Image:
    return shop.engine.images.resolve(name).image


def test_a_build_makes_an_image_and_the_next_one_finds_all_of_it(
    shop: Workshop, client: LocalClient
) -> None:
    write(client.directory, a="1", sub__b="2")
    text = 'FROM busybox\nENV A=1\nRUN echo said; echo $A >/ran\nCOPY . /app\nCMD ["sh"]\n'
    first = shop.build(text, client, name="whole")
    assert shop.told.ran() == ["RUN echo said; echo 1 >/ran", "COPY . /app"]
    assert "said\n" in shop.told.log("RUN")
    made = image(shop, "whole")
    assert made.config is not None
    assert made.config.cmd == ("sh",)
    assert [h.empty_layer for h in (made.history or ())[-4:]] == [True, False, False, True]
    (plan,) = shop.told.of(BuildPlan)
    assert [step.text for step in plan.steps][:2] == ["FROM busybox", "ENV A=1"]

    assert shop.build(text, client, name="again").images == first.images
    assert shop.told.ran() == []
    assert all(v.cached for n, v in shop.told.vertices.items() if "RUN" in n or "COPY" in n)


def test_contents_decide_and_not_times(shop: Workshop, client: LocalClient) -> None:
    write(client.directory, used="1", unused="1", _dot_dockerignore="ignored\n", ignored="1")
    text = "FROM busybox\nCOPY used /used\nRUN cat /used\nCOPY . /all\n"
    shop.build(text, client)
    write(client.directory, ignored="2")
    os.utime(client.directory / "used", (1, 1))
    shop.build(text, client)
    assert shop.told.ran() == []
    write(client.directory, unused="2")
    shop.build(text, client)
    assert shop.told.ran() == ["COPY . /all"]
    (client.directory / "used").chmod(0o755)
    shop.build(text, client)
    assert shop.told.ran() == ["COPY used /used", "RUN cat /used", "COPY . /all"]


def test_only_what_changed_travels(shop: Workshop, client: LocalClient) -> None:
    write(client.directory, a="1", b="1")
    shop.build("FROM busybox\nCOPY . /x\n", client)
    client.synced.clear()
    write(client.directory, b="22")
    shop.build("FROM busybox\nCOPY . /x\n", client)
    assert client.synced == ["b"]


def test_a_miss_is_explained(shop: Workshop, client: LocalClient) -> None:
    write(client.directory, app="1", other="1")
    text = "FROM busybox\nCOPY app other /explained/\nRUN ls /explained\n"
    shop.build(text, client, explain=True)
    assert {miss.reason for miss in shop.told.of(CacheMiss)} == {
        "the instruction is new, or its result was pruned"
    }
    write(client.directory, app="2")
    shop.build(text, client, explain=True)
    misses = {miss.name.partition("] ")[2]: miss for miss in shop.told.of(CacheMiss)}
    assert misses["COPY app other /explained/"].reason == "app changed"
    assert misses["RUN ls /explained"].reason == "the step before it gave other files"
    assert "cache miss: app changed" in shop.told.log("COPY")


def test_stages_run_side_by_side_and_unneeded_ones_not_at_all(
    shop: Workshop, client: LocalClient
) -> None:
    # Each waits for all others: one after the other they would wait for ever.
    names = "abcd"
    there = " ".join(f"-a -e /m/{name}" for name in names).removeprefix("-a ")
    mount = "--mount=type=cache,target=/m,id=meet"
    text = "".join(
        f"FROM busybox AS {name}\n"
        f"RUN {mount} touch /m/{name}; until [ {there} ]; do usleep 5000; done\nRUN touch /{name}\n"
        for name in names
    )
    text += "FROM busybox AS never\nRUN false\nFROM scratch\n"
    text += "".join(f"COPY --from={name} /{name} /\n" for name in names)
    shop.build(text, client)
    assert "RUN false" not in shop.told.ran()
    assert len(shop.told.ran()) == 12


def test_a_stage_that_comes_out_the_same_changes_nothing_behind_it(
    shop: Workshop, client: LocalClient
) -> None:
    text = (
        "FROM busybox AS build\nRUN cat /proc/sys/kernel/random/uuid >/when; echo same >/product\n"
        "FROM busybox\nCOPY --from=build /product /\nRUN cat /product\n"
    )
    shop.build(text, client)
    shop.build(text, client, cache=CacheUse(disabled_stages=("build",)))
    assert shop.told.ran() == ["RUN cat /proc/sys/kernel/random/uuid >/when; echo same >/product"]
    shop.build(text, client, cache=CacheUse(disabled=True))
    assert len(shop.told.ran()) == 3
    shop.build(text, client)
    assert shop.told.ran() == []


def test_what_is_built_at_once_is_built_once(shop: Workshop, client: LocalClient) -> None:
    text = "FROM busybox\nRUN --mount=type=cache,target=/m,id=once echo x >>/m/count\n"

    async def both() -> None:
        builds = [shop.starting(text, client) for _ in range(3)]
        await asyncio.gather(*builds)

    shop.do(both())
    shop.build(f"{text}RUN --mount=type=cache,target=/m,id=once cat /m/count\n", client)
    assert shop.told.log("cat") == "x\n"


def test_who_waits_for_anothers_step_sees_what_it_writes(
    shop: Workshop, client: LocalClient
) -> None:
    mount = "--mount=type=cache,target=/m,id=gate"
    text = f"FROM busybox\nRUN {mount} echo early; until [ -e /m/go ]; do :; done; echo late\n"
    opener = f"FROM busybox\nRUN {mount} touch /m/go\n"

    async def both() -> tuple[Told, Told]:
        first = asyncio.ensure_future(shop.starting(text, client))
        one = shop.told
        await until(lambda: one.log("RUN") == "early\n")
        second = asyncio.ensure_future(shop.starting(text, client))
        two = shop.told
        await until(lambda: two.log("RUN") == "early\n")
        await shop.starting(opener, client)
        await asyncio.gather(first, second)
        return one, two

    told = shop.do(both())
    for each in told:
        assert each.log("RUN") == "early\nlate\n"
        (step,) = [v for n, v in each.vertices.items() if "RUN" in n]
        assert step.completed_ns is not None
        assert not step.cached
        assert not step.error


def test_who_waits_for_a_step_that_is_ended_carries_it_out(
    shop: Workshop, client: LocalClient
) -> None:
    mount = "--mount=type=cache,target=/m,id=gate2"
    text = f"FROM busybox\nRUN {mount} echo early; until [ -e /m/go ]; do :; done; echo late\n"
    opener = f"FROM busybox\nRUN {mount} touch /m/go\n"

    async def both() -> Told:
        first = asyncio.ensure_future(shop.starting(text, client))
        one = shop.told
        await until(lambda: one.log("RUN") == "early\n")
        second = asyncio.ensure_future(shop.starting(text, client))
        two = shop.told
        await until(lambda: two.log("RUN") == "early\n")
        first.cancel()
        await until(lambda: two.log("RUN") == "early\nearly\n")
        await shop.starting(opener, client)
        await second
        return two

    assert shop.do(both()).log("RUN") == "early\nearly\nlate\n"


def test_a_failed_step_says_where_and_how(shop: Workshop, client: LocalClient) -> None:
    text = "FROM busybox\n\nRUN echo before; \\\n  exit 3\nRUN never\n"
    with pytest.raises(StepFailedError) as caught:
        shop.build(text, client)
    error = caught.value
    assert error.exit_code == 3
    assert error.command == "/bin/sh -c echo before;   exit 3"
    assert "exit code: 3" in str(error)
    assert error.place is not None
    assert ">>> RUN echo before; \\\n   4 | >>>   exit 3" in excerpt(error.place)
    assert "before" in shop.told.log("RUN echo")
    failed = next(v for n, v in shop.told.vertices.items() if "before" in n)
    assert "exit code: 3" in failed.error


def test_a_failure_ends_what_runs_beside_it(shop: Workshop, client: LocalClient) -> None:
    mount = "RUN --mount=type=cache,target=/m,id=beside"
    text = (
        f"FROM busybox AS a\n{mount} touch /m/begun && sleep 1000\n"
        f"FROM busybox AS b\n{mount} until [ -e /m/begun ]; do usleep 5000; done; exit 7\n"
        "FROM scratch\nCOPY --from=a / /\nCOPY --from=b / /\n"
    )
    with pytest.raises(StepFailedError) as caught:
        shop.build(text, client)
    assert caught.value.exit_code == 7


@pytest.mark.parametrize("how", ["cancel", "hang up"])
def test_a_build_that_is_ended_leaves_nothing(
    shop: Workshop, client: LocalClient, how: str
) -> None:
    async def ended() -> None:
        text = f"FROM busybox\nRUN echo {how.replace(' ', '')} && sleep 1000\n"
        work = asyncio.ensure_future(shop.starting(text, client, reference="mine"))
        await until(lambda: shop.told.log("RUN") != "")
        if how == "cancel":
            await shop.engine.builds.cancel("mine")
            with pytest.raises(BuildCancelledError):
                await work
        else:
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
        assert next(v for v in shop.told.vertices.values() if "RUN" in v.name).error
        (record, *_) = await shop.engine.builds.history()
        assert (record.reference, record.error) == ("mine", "canceled")

    shop.do(ended())


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("FROM busybox\nRUM x\n", InvalidDockerfileError, "unknown instruction: RUM"),
        ("FROM busybox AS a\nCOPY --from=b x y\n", NotFoundError, "b"),
        ("FROM busybox\nCOPY nothing /\n", StepFailedError, '"/nothing": not found'),
        ("FROM nobody/has:this\n", Exception, "nobody/has"),
        ("FROM busybox\nRUN --mount=type=secret,id=s,required true\n", StepFailedError, "secret s"),
    ],
)
def test_what_is_wrong_is_said(
    shop: Workshop, client: LocalClient, text: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind) as caught:
        shop.build(text, client, pull=Pull.NEVER)
    assert said in str(caught.value)


def test_what_cannot_be_started_has_the_shells_exit_code(
    shop: Workshop, client: LocalClient
) -> None:
    with pytest.raises(StepFailedError) as caught:
        shop.build('FROM busybox\nRUN ["/no/such/program"]\n', client)
    assert caught.value.exit_code == 127


@pytest.mark.parametrize(
    ("platform", "said"),
    [
        ("linux/arm64", "no emulator for linux/arm64: register one with binfmt_misc"),
        ("linux/amd64", "no script that begins with #!"),
    ],
)
def test_a_program_for_another_machine(
    shop: Workshop, client: LocalClient, platform: str, said: str
) -> None:
    write(client.directory, program="\x7fBXS")
    (client.directory / "program").chmod(0o755)
    text = 'FROM scratch\nCOPY program /program\nRUN ["/program"]\n'
    with pytest.raises(StepFailedError, match="exec format error") as caught:
        shop.build(text, client, platforms=(parse_platform(platform),))
    assert caught.value.exit_code == 126
    assert said in str(caught.value)


def test_a_program_that_binfmt_knows(shop: Workshop, client: LocalClient, tmp_path: Path) -> None:
    """By a format that nobody else has; its emulator is busybox, of the host's tree alone."""
    write(client.directory, echo="\x7fBXS")
    (client.directory / "echo").chmod(0o755)
    busybox = shop.engine.images.resolve("busybox")
    layers = [shop.engine.checker._storage.layers.diff_directory(each) for each in busybox.layers]
    (emulator,) = [path for each in layers if (path := Path(each, "bin/busybox")).exists()]
    (tmp_path / "busybox").write_bytes(emulator.read_bytes())
    (tmp_path / "busybox").chmod(0o755)
    formats = tmp_path / "formats"
    formats.mkdir()
    mount("binfmt_misc", str(formats), "binfmt_misc", 0)
    entry = f":boxship-test:M::\\x7fBXS::{tmp_path}/busybox:F"
    try:
        (formats / "register").write_text(entry)
        try:
            text = 'FROM scratch\nCOPY echo /echo\nRUN ["/echo", "emulated"]\n'
            shop.build(text, client, platforms=(parse_platform("linux/arm64"),))
        finally:
            (formats / "boxship-test").write_text("-1")
    finally:
        umount2(str(formats))
    assert shop.told.log("RUN") == "emulated\n"


def test_a_failed_step_can_be_kept(shop: Workshop, client: LocalClient) -> None:
    text = "FROM busybox\nENV A=1\nWORKDIR /w\nRUN echo left >left; exit 1\n"
    with pytest.raises(StepFailedError) as caught:
        shop.build(text, client, keep_failed=True)
    kept = shop.engine.images.resolve(caught.value.kept_image)
    assert kept.image.config is not None
    assert kept.image.config.working_dir == "/w"
    assert "A=1" in (kept.image.config.env or ())
    layers = shop.engine.checker._storage.layers
    assert Path(layers.diff_directory(kept.layers[-1]), "w/left").read_text() == "left\n"


def test_several_layers_can_be_made_one(shop: Workshop, client: LocalClient) -> None:
    text = "FROM busybox\nRUN echo 1 >/a; echo 2 >/b\nRUN rm /a\n"
    shop.build(text, client, name="squashed", squash=True)
    made = shop.engine.images.resolve("squashed")
    layers = shop.engine.checker._storage.layers
    assert len(made.layers) == len(shop.engine.images.resolve("busybox").layers) + 1
    top = Path(layers.diff_directory(made.layers[-1]))
    assert sorted(os.listdir(top)) == ["a", "b"]
    assert (top / "a").is_char_device(), "it is only hidden: the base may have one"
    assert (made.image.history or ())[-1].comment.startswith("merge sha256:")


def test_patterns_that_go_through_directories_decide_by_all_below(
    shop: Workshop, client: LocalClient
) -> None:
    write(client.directory, src__a__x_dot_c="1", src__b="1")
    text = "FROM busybox\nCOPY --parents src/**/*.c /\n"
    shop.build(text, client)
    write(client.directory, src__a__x_dot_c="2")
    shop.build(text, client)
    assert len(shop.told.ran()) == 1


def test_named_contexts(shop: Workshop, client: LocalClient, tmp_path: Path) -> None:
    other, layout = tmp_path / "other", tmp_path / "layout"
    write(other, f="of the other")
    client.others = {"other": other, "oci-layout:x@y": layout}
    shop.do(_saved(shop, layout))
    text = (
        "FROM base\nCOPY --from=ctx f /f\nCOPY --from=image /bin/true /true\n"
        "RUN --mount=from=ctx,target=/m cat /f /m/f\n"
    )
    image_id = str(shop.engine.images.resolve("busybox").id)
    contexts = {
        "base": LayoutContext("store", "x@y"),
        "ctx": ClientDirectory("other"),
        "image": ImageContext(image_id),
    }
    shop.build(text, client, contexts=contexts)
    assert shop.told.log("cat") == "of the other" * 2


async def _saved(shop: Workshop, place: Path) -> None:
    archive = b"".join([bytes(chunk) async for chunk in shop.engine.images.save(["busybox"])])
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        members.extractall(place, filter="data")


def test_a_malformed_pattern_has_its_line(shop: Workshop, client: LocalClient) -> None:
    write(client.directory, f="1")
    with pytest.raises(StepFailedError, match="syntax error in pattern") as caught:
        shop.build("FROM busybox\n\nCOPY a[]b /x\n", client)
    assert caught.value.place is not None
    assert caught.value.place.ranges[0].start == 3


def test_what_an_exclusion_takes_in_again_is_copied_anew(
    shop: Workshop, client: LocalClient
) -> None:
    text = (
        "FROM busybox AS b\nARG V\nRUN mkdir -p /ex/dir && echo $V >/ex/dir/keep\nFROM busybox\n"
        "COPY --from=b --exclude=dir --exclude=!dir/keep /ex /o/\nRUN cat /o/dir/keep\n"
    )
    for value in ("1", "2"):
        shop.build(text, client, build_args={"V": value})
        assert shop.told.log("cat") == f"{value}\n"


def test_security_options_are_refused_and_not_ignored(shop: Workshop, client: LocalClient) -> None:
    with pytest.raises(InvalidArgumentError, match="does not support setting security options"):
        shop.build("FROM busybox\n", client, security_options=("seccomp=unconfined",))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"build_args": {"X": "a\udcff"}}, "build argument 'X' is not UTF-8"),
        ({"labels": {"a\udcff": "x"}}, "label 'a\\\\udcff' is not UTF-8"),
        ({"build_args": {"X": "a\0"}}, "build argument 'X' has a NUL in it"),
    ],
)
def test_arguments_that_nothing_can_have_are_refused(
    shop: Workshop, client: LocalClient, given: dict[str, dict[str, str]], named: str
) -> None:
    text = "FROM busybox\nARG X\nLABEL a=$X\nRUN echo $X\n"
    with pytest.raises(InvalidArgumentError, match=named):
        shop.build(text, client, **given)


def test_rules_warn_and_can_be_errors(shop: Workshop, client: LocalClient) -> None:
    text = "FROM busybox as x\nRUN true\n"
    assert shop.build(text, client).warnings == 1
    (warning,) = shop.told.of(VertexWarning)
    assert warning.rule == "FromAsCasing"
    assert warning.ranges[0].start == 1
    with pytest.raises(InvalidDockerfileError, match="FromAsCasing"):
        shop.build(f"# check=error=true\n{text}", client)


def test_secrets_decide_nothing(shop: Workshop, client: LocalClient) -> None:
    text = "FROM busybox\nRUN --mount=type=secret,id=s,env=S --mount=type=secret,id=s test -n $S\n"
    client.secrets["s"] = b"one"
    shop.build(text, client)
    client.secrets["s"] = b"another"
    shop.build(text, client)
    assert shop.told.ran() == []


def test_the_cache_is_there_after_a_restart(client: LocalClient) -> None:
    write(client.directory, f="1")
    text = "FROM busybox\nRUN echo kept >/kept\nCOPY f /f\n"
    with workshop() as own:
        own.build(text, client, outputs=())
        own.reopen()
        own.build(text, client, outputs=())
        assert own.told.ran() == []
        own.settle()


def test_the_cache_is_there_until_it_is_pruned(shop: Workshop, client: LocalClient) -> None:
    builds, text = shop.engine.builds, "FROM busybox\nRUN echo 1 >/kept\nRUN echo 2 >>/kept\n"
    shop.build(text, client, outputs=())
    usage = {entry.description.partition("] ")[2]: entry for entry in shop.do(builds.usage())}
    assert usage["RUN echo 1 >/kept"].id in usage["RUN echo 2 >>/kept"].parents
    first = PruneRequest(filters={"id": (usage["RUN echo 1 >/kept"].id,)})
    pruned = shop.do(builds.prune(first))
    assert [entry.kind for entry in pruned.entries] == ["regular"]
    assert pruned.space_reclaimed == 0, "the next step's result stands on that layer"
    shop.build(text, client, outputs=())
    assert shop.told.ran() == []
    assert shop.do(builds.prune(PruneRequest(all=True))).space_reclaimed > 0
    assert shop.do(builds.usage()) == []
    shop.build(text, client, outputs=())
    assert len(shop.told.ran()) == 2
    with pytest.raises(InvalidArgumentError, match="invalid filter"):
        shop.do(builds.prune(PruneRequest(filters={"x": ("y",)})))


def test_files_of_the_web_are_kept_and_pruned(
    shop: Workshop, client: LocalClient, tmp_path: Path
) -> None:
    asked: list[int] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_request(self, code: object = "-", size: object = "-") -> None:
            asked.append(int(str(getattr(code, "value", code))))

    (tmp_path / "www").mkdir()
    (tmp_path / "www/file").write_text("of the web")
    handler = partial(Handler, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        text = f"FROM busybox\nADD http://127.0.0.1:{server.server_address[1]}/file /f\n"
        try:
            for status in (200, 304):
                shop.build(f"{text}RUN cat /f\n", client, outputs=())
                assert asked.pop() == status
            assert shop.told.ran() == []
            web = PruneRequest(filters={"type": ("source.http",)})
            assert [entry.size for entry in shop.do(shop.engine.builds.prune(web)).entries] == [10]
            shop.build(f"{text}RUN cat /f\n", client, outputs=())
            assert asked == [200]
        finally:
            server.shutdown()
            thread.join()


def test_a_classic_build_of_nothing_is_the_base_image(shop: Workshop, client: LocalClient) -> None:
    base = str(shop.engine.images.resolve("busybox").id)
    made = shop.build("FROM busybox\n", client, name="same", classic=True)
    assert made.images[0].image_id == base
    short = base.removeprefix("sha256:")[:12]
    shop.build(f"FROM {short}\nENV A=1\n", client, classic=True)
    shop.do(shop.engine.images.remove("same"))


def test_an_image_stays_whole_when_the_cache_goes(shop: Workshop, client: LocalClient) -> None:
    text = "FROM busybox\nRUN echo image >/of-image\n"
    shop.build(text, client, name="stays")
    shop.do(shop.engine.builds.prune(PruneRequest(all=True)))
    layers = shop.engine.checker._storage.layers
    made = shop.engine.images.resolve("stays")
    assert all(layers.find(layer) for layer in made.layers)
    shop.do(shop.engine.images.remove("stays"))
    assert layers.find(made.layers[-1]) is None, "neither the cache nor an image needs it"
    shop.build(text, client, outputs=())
    assert len(shop.told.ran()) == 1


def test_the_cache_keeps_its_bounds(shop: Workshop, client: LocalClient) -> None:
    shop.build("FROM busybox\nRUN echo bound >/x\n", client, outputs=())
    kept = shop.engine.builds._housekeeping

    def after(settings: BuildCacheSettings) -> bool:
        shop.do(replace(kept, settings=settings).keep_bounds())
        return any("bound" in each.description for each in shop.do(kept.usage()))

    policy = CachePolicy(filters=("type=regular", "description=bound"))
    assert after(BuildCacheSettings(collects=False, policies=(policy,)))
    assert after(BuildCacheSettings())
    assert not after(BuildCacheSettings(policies=(policy,)))


def test_history_remembers(shop: Workshop, client: LocalClient) -> None:
    named = {"BUILDKIT_BUILD_NAME": "mine", "OTHER": "hidden"}
    shop.build("FROM busybox\nRUN true\n", client, reference="good", build_args=named)
    with pytest.raises(StepFailedError):
        shop.build("FROM busybox\nRUN echo why; false\n", client, reference="bad")
    history = {record.reference: record for record in shop.do(shop.engine.builds.history())}
    assert history["good"].error == ""
    assert history["good"].completed_steps > 0
    assert history["good"].name == "mine"
    assert history["good"].attributes["build-arg:BUILDKIT_BUILD_NAME"] == "mine"
    assert "hidden" not in str(history["good"])
    assert "exit code: 1" in history["bad"].error
    told = Told(shop.do(shop.engine.builds.told("bad")))
    assert told.log("RUN") == "why\n"
    assert "exit code: 1" in next(v for n, v in told.vertices.items() if "RUN" in n).error
    shop.do(shop.engine.builds.forget("good"))
    with pytest.raises(NotFoundError):
        shop.do(shop.engine.builds.told("good"))
    with pytest.raises(NotFoundError):
        shop.do(shop.engine.builds.forget("good"))


def test_a_document_of_an_image_is_the_same_for_the_same_input(
    shop: Workshop, client: LocalClient
) -> None:
    write(client.directory, f="1")
    text = "FROM busybox\nARG SOURCE_DATE_EPOCH\nCOPY f /f\nRUN echo 1 >/g\nWORKDIR /w\n"
    wanted = {"build_args": {"SOURCE_DATE_EPOCH": "1700000000"}}
    first = shop.build(text, client, **wanted)
    shop.do(shop.engine.builds.prune(PruneRequest(all=True)))
    os.utime(client.directory / "f")
    second = shop.build(text, client, cache=CacheUse(disabled=True), **wanted)
    assert first.images[0].image_id == second.images[0].image_id
    made = decode(first.images[0].config, Image)
    assert (made.created or "").startswith("2023-11-14T22:13:20")
