"""The images that tests and benchmarks run, by name, and their cache.

.cache/images/<key>/<name>.tar    one archive; the key is the hash of this package's sources,
                                  so that an edited recipe is made anew
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from support.images import archive, debian, layers
from support.images.archive import Image, Layer, Setting

_CACHE = Path(__file__).parents[3] / ".cache" / "images"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "amd64")

Recipe = Callable[[Path, Path], None]


def ensure(name: str) -> Path:
    """The archive of the image `name`; made, with root and a mirror, unless it is in the cache."""
    home = _CACHE / _key()
    target = home / f"{name}.tar"
    if target.exists():
        return target
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            # Beside the target, so that the result is renamed; /tmp may be small or mounted nodev.
            scratch = Path(tempfile.mkdtemp(dir=home, prefix="making-"))
            try:
                RECIPES[name](scratch / "image.tar", scratch)
                os.rename(scratch / "image.tar", target)
            finally:
                shutil.rmtree(scratch)
    return target


def _busybox(destination: Path, scratch: Path) -> None:
    program = debian.package_file("busybox-static", "/bin/busybox")
    entries = [
        (archive.directory("bin"), b""),
        archive.file("bin/busybox", program, 0o755),
        *(
            (archive.link(f"bin/{applet}", "bin/busybox", hard=True), b"")
            for applet in _applets(program, scratch)
        ),
        (archive.directory("dev"), b""),
        (archive.directory("etc"), b""),
        archive.file(
            "etc/group",
            b"root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nusers:x:100:www-data\nnogroup:x:65534:\n",
        ),
        archive.file(
            "etc/passwd",
            b"root:x:0:0:root:/root:/bin/sh\n"
            b"daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
            b"www-data:x:33:33:www-data:/var/www:/bin/false\n"
            b"nobody:x:65534:65534:nobody:/home:/bin/false\n",
        ),
        archive.file("etc/shadow", b"root:*::0:::::\n", 0o600),
        (archive.directory("home"), b""),
        (archive.directory("root", 0o700), b""),
        (archive.directory("tmp", 0o1777), b""),
        (archive.directory("usr"), b""),
        (archive.directory("usr/bin"), b""),
        (archive.link("usr/bin/env", "../../bin/env"), b""),
        (archive.directory("usr/sbin"), b""),
        (archive.directory("var"), b""),
        (archive.directory("var/www"), b""),
    ]
    archive.write_layer(scratch / "layer.tar", entries)
    image = Image(
        tags=("busybox:latest",),
        steps=(
            Layer(scratch / "layer.tar", "/bin/sh -c #(nop) ADD file:busybox-static in / "),
            Setting('/bin/sh -c #(nop)  CMD ["sh"]'),
        ),
        config={"Env": [_PATH], "Cmd": ["sh"]},
        architecture=_ARCHITECTURE,
    )
    archive.write(image, destination)


def _applets(program: bytes, scratch: Path) -> list[str]:
    path = scratch / "busybox"
    path.write_bytes(program)
    path.chmod(0o755)
    answer = subprocess.run([path, "--list"], stdout=subprocess.PIPE, text=True, check=True)
    return [applet for applet in answer.stdout.split() if applet != "busybox"]


def _debian(destination: Path, scratch: Path) -> None:
    debian.system(scratch / "system.tar")
    layers.base(scratch / "system.tar", scratch / "layer.tar")
    image = Image(
        tags=("debian:bookworm-slim",),
        steps=(
            Layer(scratch / "layer.tar", "/bin/sh -c #(nop) ADD file:mmdebstrap in / "),
            Setting('/bin/sh -c #(nop)  CMD ["bash"]'),
        ),
        config={"Env": [_PATH], "Cmd": ["bash"]},
        architecture=_ARCHITECTURE,
    )
    archive.write(image, destination)


_APP = b"""\
import os, platform, sys
print("hello from", platform.python_implementation(), sys.argv[1:], os.getuid(), os.getcwd())
"""


def _python(destination: Path, scratch: Path) -> None:
    """Debian, Python on it, an application on that; the last layer deletes from the first."""
    debian.system(scratch / "system.tar")
    debian.system(scratch / "python-system.tar", include=["python3"])
    layers.base(scratch / "system.tar", scratch / "base.tar")
    layers.difference(scratch / "system.tar", scratch / "python-system.tar", scratch / "python.tar")
    archive.write_layer(
        scratch / "app.tar",
        [
            (archive.directory("etc"), b""),
            archive.file("etc/.wh.issue", b""),
            (archive.directory("opt"), b""),
            archive.file("opt/.wh..wh..opq", b""),
            (archive.directory("srv"), b""),
            (archive.directory("srv/app"), b""),
            archive.file("srv/app/main.py", _APP),
        ],
    )
    image = Image(
        tags=("python:3.11-slim-bookworm", "python:bookworm"),
        steps=(
            Layer(scratch / "base.tar", "/bin/sh -c #(nop) ADD file:mmdebstrap in / "),
            Setting('/bin/sh -c #(nop)  CMD ["bash"]'),
            Layer(scratch / "python.tar", "/bin/sh -c apt-get install -y python3"),
            Setting("/bin/sh -c #(nop)  ENV LANG=C.UTF-8"),
            Layer(scratch / "app.tar", "/bin/sh -c #(nop) COPY dir:app in /srv/app "),
            Setting("/bin/sh -c #(nop) WORKDIR /srv/app"),
            Setting("/bin/sh -c #(nop)  USER daemon"),
            Setting('/bin/sh -c #(nop)  CMD ["python3" "main.py"]'),
        ),
        config={
            "Env": [_PATH, "LANG=C.UTF-8"],
            "Cmd": ["python3", "main.py"],
            "WorkingDir": "/srv/app",
            "User": "daemon",
            "ExposedPorts": {"8000/tcp": {}},
            "Labels": {"org.example.title": "application"},
        },
        architecture=_ARCHITECTURE,
    )
    archive.write(image, destination)


RECIPES: Mapping[str, Recipe] = {"busybox": _busybox, "debian": _debian, "python": _python}


def _key() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]
