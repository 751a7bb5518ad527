"""The volumes of a data root."""

import os
from collections.abc import Iterator

import msgspec

from boxship.base.errors import BoxshipError
from boxship.importing.documents import VolumeMetadata, read
from boxship.importing.inventory import LeftOut
from boxship.importing.root import DockerRoot
from boxship.model.adoption import AdoptedVolume


class _Quota(msgspec.Struct, frozen=True, rename="pascal"):
    size: int = 0


class _StoredOptions(msgspec.Struct, frozen=True, rename="pascal"):
    """``opts.json``, which dockerd itself goes by."""

    mount_type: str = ""
    mount_opts: str = ""
    mount_device: str = ""
    quota: _Quota = _Quota()


def found(root: DockerRoot, left: list[LeftOut]) -> Iterator[AdoptedVolume]:
    """Yield those of the local driver. UnavailableError: the database cannot be read."""
    known = _metadata(root, left)
    for name, metadata in known.items():
        if metadata.driver not in ("", "local"):
            reason = f"it is the driver's, {metadata.driver}: make it here with that"
            left.append(LeftOut("volume", name, reason))
    with os.scandir(root.join("volumes")) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    for name in names:
        metadata = known.get(name, VolumeMetadata())
        if metadata.driver in ("", "local"):
            try:
                yield _volume(root, name, metadata)
            except BoxshipError as error:
                left.append(LeftOut("volume", name, str(error)))


def _metadata(root: DockerRoot, left: list[LeftOut]) -> dict[str, VolumeMetadata]:
    known = {}
    for key, value in root.database("volumes/metadata.db", b"volumes"):
        name = key.decode(errors="replace")
        try:
            known[name] = msgspec.json.decode(value, type=VolumeMetadata)
        except msgspec.MsgspecError as error:
            left.append(LeftOut("volume", name, f"its labels cannot be read: {error}"))
    return known


def _volume(root: DockerRoot, name: str, metadata: VolumeMetadata) -> AdoptedVolume:
    path = root.volume(name)
    options = metadata.options or _stored_options(root, name)
    return AdoptedVolume(
        name,
        os.stat(path).st_ctime_ns,
        root.files(name),
        files="device" not in (options or {}),
        labels=metadata.labels,
        options=options,
    )


def _stored_options(root: DockerRoot, name: str) -> dict[str, str] | None:
    path = root.volume(name, "opts.json")
    if not os.path.exists(path):
        return None
    stored = read(path, _StoredOptions)
    options = {
        "type": stored.mount_type,
        "o": stored.mount_opts,
        "device": stored.mount_device,
        "size": str(stored.quota.size or ""),
    }
    return {key: value for key, value in options.items() if value} or None
