"""What this process may write into layers: in a user namespace it is less than the host's root may.

Overlayfs keeps its marks in ``trusted.*`` attributes, which only the host's root can write. In a
user namespace it reads ``user.*`` ones instead when it is mounted with ``userxattr`` (Linux 5.11).
Whiteouts need no such care: since 5.8 everybody can make the device 0:0, but on an overlay, for
which ``stack.make_whiteout`` knows another form. Other device nodes cannot be made there; they are
left out of the tree, as Docker's rootless daemon does, and stay in the recipe.
"""

import errno
import os
import stat
from dataclasses import dataclass

_NULL = os.makedev(1, 3)
_REFUSALS = (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOTSUP)


@dataclass(frozen=True, slots=True)
class Rights:
    """The host's root unless said otherwise."""

    trusted: bool = True
    """``trusted.*`` attributes can be written."""
    devices: bool = True

    @property
    def opaque(self) -> str:
        """The attribute of a directory that hides what is below it."""
        return "trusted.overlay.opaque" if self.trusted else "user.overlay.opaque"

    @property
    def mount_options(self) -> tuple[str, ...]:
        """What overlayfs has to be told.

        Some kernels are configured to write moved directories and changed owners as references to
        the layers below, which mean nothing in a layer of their own (in a user namespace none do).
        """
        return ("redirect_dir=off", "metacopy=off") if self.trusted else ("userxattr",)


def look(directory: str) -> Rights:
    """Try it in ``directory``, which is empty and stays so."""
    path = os.path.join(directory, "node")
    devices = _succeeds(os.mknod, path, stat.S_IFCHR | 0o600, _NULL)
    if devices:
        os.unlink(path)
    trusted = _succeeds(os.setxattr, directory, "trusted.overlay.opaque", b"n")
    if trusted:
        os.removexattr(directory, "trusted.overlay.opaque")
    # A file system without any attributes is not one that refuses these.
    untrusted = not trusted and _succeeds(os.setxattr, directory, "user.overlay.opaque", b"n")
    if untrusted:
        os.removexattr(directory, "user.overlay.opaque")
    return Rights(trusted=not untrusted, devices=devices)


def _succeeds(call: "object", *arguments: object) -> bool:
    assert callable(call)
    try:
        call(*arguments)
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        return False
    return True
