"""From a mirror to an image in an engine.

::

    mirror ──InRelease, Packages──► select ──*.deb──► stage ──import──► engine: stage image
                                                                          │ a container runs dpkg
    engine: the image ◄──load── config + layer ◄──write_layer──◄──export──┘

Nothing stays of the way: the stage image and its container go in any case, and an image appears
only by the last step.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress

from boxship.base.errors import BoxshipError, UnavailableError
from boxship.bootstrap import deb
from boxship.bootstrap.archive import Package, read_offer
from boxship.bootstrap.errors import MaintainerScriptError
from boxship.bootstrap.image import image_config, load_archive
from boxship.bootstrap.layer import write_layer
from boxship.bootstrap.mirror import Download, Mirrors
from boxship.bootstrap.resolving import Selection, select
from boxship.bootstrap.stage import SCRIPT, Fetched, stage
from boxship.bootstrap.wish import Wish
from boxship.client import containers, images
from boxship.client.engine import EngineClient, JsonObject
from boxship.client.stdcopy import Demultiplexer
from boxship.oci.digest import Digest

_LAST_LINES = 20

# dpkg has every step of every package on the disk before the next. Of a container that is thrown
# away when anything fails, this protects nothing, and it takes most of the time.
_NO_SYNC = json.dumps(
    {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [
            {
                "names": ["fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync"],
                "action": "SCMP_ACT_ERRNO",
                "errnoRet": 0,
            }
        ],
    }
)


def bootstrap(
    client: EngineClient, wish: Wish, environment: Mapping[str, str]
) -> Iterator[JsonObject]:
    """Make the image; yield progress as an engine does, the image's id in the last one."""
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="boxship-bootstrap-"))
        mirrors = Mirrors(environment)
        stack.callback(mirrors.close)
        for source in wish.target.sources:
            yield {"status": f"Reading {source.uri} {source.suite}"}
        offer = read_offer(wish.target, mirrors, wish.keyring)
        chosen = select(offer, wish.variant, wish.include)
        total = sum(package.size for package in chosen.all)
        yield {"status": f"Downloading {len(chosen.all)} packages, {total / 1e6:.1f} MB"}
        yield from _download(chosen, scratch, mirrors, total)
        epoch = max(deb.built_at(_path(scratch, package)) for package in chosen.all)
        yield {"status": "Unpacking and configuring"}
        system = os.path.join(scratch, "system.tar")
        staged = stage(
            [Fetched(package.name, _path(scratch, package)) for package in chosen.base],
            [Fetched(package.name, _path(scratch, package)) for package in chosen.extra],
            wish.target,
        )
        _configure(client, wish, staged, epoch, system)
        layer = os.path.join(scratch, "layer.tar")
        write_layer(system, layer, epoch)
        os.unlink(system)
        yield from _load(client, wish, chosen, layer, epoch)


def _download(
    chosen: Selection, scratch: str, mirrors: Mirrors, total: int
) -> Iterator[JsonObject]:
    downloads = [
        Download(package.url, package.sha256, package.size, _path(scratch, package))
        for package in chosen.all
    ]
    done = 0
    for size in mirrors.fetch_all(downloads):
        done += size
        detail = {"current": done, "total": total}
        yield {"id": "packages", "status": "Downloading", "progressDetail": detail}


def _path(scratch: str, package: Package) -> str:
    return os.path.join(scratch, f"{package.name}.deb")


def _configure(
    client: EngineClient, wish: Wish, staged: Iterable[bytes], epoch: int, system: str
) -> None:
    """Have the engine run the packages' scripts; write the resulting file system to ``system``."""
    with ExitStack() as stack:
        image = _imported(client, staged, str(wish.platform))
        stack.callback(_forget, lambda: images.remove(client, image, force=True, prune=True))
        body = {
            "Image": image,
            "Entrypoint": ["/bin/sh", SCRIPT],
            "Cmd": [],
            "Env": [
                "DEBIAN_FRONTEND=noninteractive",
                "DEBCONF_NONINTERACTIVE_SEEN=true",
                "LC_ALL=C",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "PERL_HASH_SEED=0",
                "PYTHONHASHSEED=0",
                f"SOURCE_DATE_EPOCH={epoch}",
            ],
            "HostConfig": {"NetworkMode": "none", "SecurityOpt": [f"seccomp={_NO_SYNC}"]},
        }
        container = containers.create(client, body, platform=str(wish.platform)).id
        stack.callback(_forget, lambda: containers.remove(client, container, force=True))
        _run(client, container, wish)
        with (
            client.call("GET", f"/containers/{container}/export") as archive,
            open(system, "wb") as out,
        ):
            for piece in archive:
                out.write(piece)


def _imported(client: EngineClient, archive: Iterable[bytes], platform: str) -> str:
    """Give the engine a file system; return the id of the image that it makes of it."""
    answer = images.import_archive(
        client,
        archive,
        source="-",
        repository="",
        tag_name="",
        message="",
        changes=(),
        platform=platform,
    )
    last: JsonObject = {}
    for last in answer:
        _check(last)
    return str(last.get("status", ""))


def _run(client: EngineClient, container: str, wish: Wish) -> None:
    try:
        containers.start(client, container)
    except BoxshipError as error:
        raise MaintainerScriptError(
            f"cannot run the packages' scripts for {wish.platform}: {error}"
        ) from error
    status = containers.wait(client, container).result()
    if status.code == 0:
        return
    raise MaintainerScriptError(
        f"the packages' scripts failed with exit code {status.code}; their last words:\n"
        + _last_words(client, container)
    )


def _last_words(client: EngineClient, container: str) -> str:
    options = containers.LogOptions(tail=str(_LAST_LINES))
    with containers.logs(client, container, options) as answer:
        runs = Demultiplexer().feed(answer.read())
    return b"".join(payload for _, payload in runs).decode("utf-8", "replace")


def _load(
    client: EngineClient, wish: Wish, chosen: Selection, layer: str, epoch: int
) -> Iterator[JsonObject]:
    with open(layer, "rb") as stream:
        diff_id = Digest("sha256", hashlib.file_digest(stream, "sha256").hexdigest())
    config = image_config(wish, chosen, diff_id, epoch)
    with images.load(client, load_archive(config, layer, wish.name), quiet=True) as answer:
        for message in answer.documents():
            _check(message)
    yield {"status": f"Bootstrapped {wish.name} as {Digest.of(config)}"}


def _check(message: JsonObject) -> None:
    reason = (message.get("errorDetail") or {}).get("message") or message.get("error")
    if reason:
        raise UnavailableError(f"the engine refuses the image: {reason}")


def _forget(remove: Callable[[], object]) -> None:
    """Clean up after a failure that is about to be told: another one would hide it."""
    with suppress(BoxshipError):
        remove()
