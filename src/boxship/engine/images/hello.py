"""The built-in image ``hello-world``: one program, made by this code, that says how it came about.

The same Boxship makes the same bytes everywhere, so the image id is the same on every machine of an
architecture.
"""

from dataclasses import dataclass

from boxship.engine.images.elf import printing_program
from boxship.oci.digest import Digest
from boxship.oci.image import History, Image, ImageConfig, RootFS, encode
from boxship.storage.tar import writer

NAME = "docker.io/library/hello-world:latest"
_CREATED = "2026-01-01T00:00:00Z"

_TEXT = """
Hello from Boxship! If you can read this, containers work on this machine.

How these lines got to your terminal:
 1. The client asked the daemon over its socket for a container of the image "hello-world".
 2. The daemon had no such image and made one itself: a layer with a single file, /hello, a
    program of a few machine instructions that Boxship's own code wrote. No network was used.
 3. The layer was unpacked into the image store, once for all containers to come, and the new
    container got an empty directory on top of it for whatever it writes.
 4. The daemon asked its launcher, a small process that waits warmed up, to fork a shim: the
    container's parent from birth to exit, which goes on even if the daemon does not.
 5. The shim forked the container's first process into namespaces of its own. That one mounted
    the image as its root, gave up the privileges it does not need and became /hello.
 6. /hello wrote this text; the shim logged it and handed it to your client. Then /hello ended,
    and its exit code 0 went the same way.

Try something bigger next:
    boxship load -i image.tar
    boxship run -it --rm IMAGE sh
"""


@dataclass(frozen=True, slots=True)
class BuiltInImage:
    """An image as bytes: its config document and the tar of its only layer."""

    config: bytes
    layer: bytes
    diff_id: Digest


def make(architecture: str) -> BuiltInImage:
    """Make the image. Raise KeyError for an architecture we cannot write programs for."""
    program = printing_program(_TEXT.encode(), architecture)
    layer = (
        writer.file_header("hello", len(program), mode=0o755)
        + program
        + writer.padding(len(program))
        + writer.END
    )
    diff_id = Digest.of(layer)
    image = Image(
        architecture=architecture,
        os="linux",
        created=_CREATED,
        config=ImageConfig(cmd=("/hello",), working_dir="/"),
        rootfs=RootFS(diff_ids=(str(diff_id),)),
        history=(
            History(_CREATED, "COPY hello / # written by boxship itself"),
            History(_CREATED, 'CMD ["/hello"]', empty_layer=True),
        ),
    )
    return BuiltInImage(encode(image), layer, diff_id)
