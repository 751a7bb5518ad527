"""The images of a data root."""

import os
from collections.abc import Iterator

from boxship.base.errors import BoxshipError
from boxship.importing.documents import ImageConfig, Repositories, read
from boxship.importing.inventory import FoundImage, LeftOut
from boxship.importing.root import DockerRoot


def found(root: DockerRoot, left: list[LeftOut]) -> Iterator[FoundImage]:
    """Yield them, of every storage driver. UnavailableError: their names cannot be read."""
    seen: set[str] = set()
    for driver in root.drivers:
        names = _names(root, driver)
        directory = root.images(driver, "imagedb", "content", "sha256")
        for digits in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
            image_id = f"sha256:{digits}"
            if image_id in seen:
                continue
            try:
                config = read(os.path.join(directory, digits), ImageConfig)
            except BoxshipError as error:
                left.append(LeftOut("image", digits[:12], str(error)))
                continue
            seen.add(image_id)
            yield FoundImage(
                image_id,
                driver,
                config.rootfs.diff_ids or (),
                tuple(sorted(names.get(image_id, ()))),
                _parent(root, driver, digits),
            )


def _names(root: DockerRoot, driver: str) -> dict[str, list[str]]:
    """Return tags by image. Digests of registries need manifests, which are not kept there."""
    path = root.images(driver, "repositories.json")
    if not os.path.exists(path):
        return {}
    names: dict[str, list[str]] = {}
    for references in read(path, Repositories).repositories.values():
        for name, image_id in references.items():
            if "@" not in name:
                names.setdefault(image_id, []).append(name)
    return names


def _parent(root: DockerRoot, driver: str, digits: str) -> str:
    path = root.images(driver, "imagedb", "metadata", "sha256", digits, "parent")
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""
