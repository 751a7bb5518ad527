"""The tree of names and platforms, from rows as the API gives them."""

from boxship.cli.format.imagetree import tree

ID = "sha256:" + "ab" * 32


def manifest(platform: dict[str, str], *, unpacked: int, used: bool, kind: str = "image"):
    content = 100 if unpacked else 0
    data = {
        "Platform": platform,
        "Containers": ["c"] if used else [],
        "Size": {"Unpacked": unpacked},
    }
    return {
        "ID": "sha256:" + "cd" * 32,
        "Kind": kind,
        "Size": {"Content": content, "Total": content + unpacked},
        **({"ImageData": data} if kind == "image" else {}),
    }


def test_platforms_stand_below_their_names() -> None:
    summary = {
        "Id": ID,
        "RepoTags": ["app:1", "app:latest"],
        "Size": 3_000_000,
        "Manifests": [
            manifest({"os": "linux", "architecture": "amd64"}, unpacked=3_000_000, used=True),
            manifest({"os": "unknown", "architecture": "unknown"}, unpacked=0, used=False,
                     kind="attestation"),
            manifest({"os": "linux", "architecture": "arm", "variant": "v7"}, unpacked=0,
                     used=False),
        ],
    }  # fmt: skip
    alone = {"Id": ID, "RepoTags": None, "Size": 5, "Containers": 0}
    assert [line.rstrip() for line in tree([summary, alone], full=False).splitlines()] == [
        "IMAGE             ID             DISK USAGE   CONTENT SIZE   IN USE",
        "app:1",
        "app:latest        abababababab   3MB          100B           yes",
        "├─ linux/amd64    cdcdcdcdcdcd   3MB          100B           yes",
        "└─ linux/arm/v7   cdcdcdcdcdcd   0B           0B",
        "<none>            abababababab   5B           0B",
    ]
