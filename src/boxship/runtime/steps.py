"""What a container's init does between fork and exec, as data.

A step says one thing, fully decided; ``apply.py`` carries it out with no choice of its own and
``explain.py`` prints it as a shell would say it. Paths called ``target`` or ``path`` are inside
the container and are resolved there, whatever links they cross; paths called ``source`` are the
host's. A step's JSON form is ``["ClassName", {fields that differ from their default}]``.
"""

from boxship.base.frozen import dataclass
from boxship.oci.codec import Codec, same_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CODEC = Codec(same_name, refuse_unknown=True)
"""How plans travel. Both ends are ours, so a field unknown to one of them is an error."""


@dataclass(frozen=True, slots=True)
class Step:
    """Base of all setup steps."""


@dataclass(frozen=True, slots=True)
class Unshare(Step):
    """New namespaces in one call; ``kinds`` of mnt, net, ipc, uts, cgroup, user, time."""

    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JoinNamespace(Step):
    """Enter the namespace that ``source`` (``/proc/PID/ns/net``, a bind mount) refers to."""

    kind: str
    source: str


@dataclass(frozen=True, slots=True)
class LoopbackUp(Step):
    """``ip link set lo up``."""


@dataclass(frozen=True, slots=True)
class SetHostname(Step):
    name: str


@dataclass(frozen=True, slots=True)
class SetDomainname(Step):
    name: str


@dataclass(frozen=True, slots=True)
class SetPropagation(Step):
    """Propagation of the host's whole tree in our mount namespace; ``rslave`` as a rule."""

    propagation: str


@dataclass(frozen=True, slots=True)
class CopyTree(Step):
    """Copy the mount at ``source`` before SetPropagation cuts its ties, for a later BindMount.

    Only a copy made this early stays a peer of the host's mount, as ``rshared`` wants it, and only
    after SetPropagation can the root be mounted without the host seeing it.
    """

    source: str
    target: str
    """Of the BindMount that it is for."""
    recursive: bool = False
    uid_map: tuple[tuple[int, int, int], ...] = ()
    gid_map: tuple[tuple[int, int, int], ...] = ()
    """With maps the copy shows other owners than the files have (``MOUNT_ATTR_IDMAP``)."""
    map_recursive: bool = False


@dataclass(frozen=True, slots=True)
class NewTimeNamespace(Step):
    """Make one, set its clocks' offsets (seconds, nanoseconds) and enter it."""

    monotonic: tuple[int, int] = (0, 0)
    boottime: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class HoldHostNetwork(Step):
    """Keep a way to the network namespace that is about to be left, for MoveInterfaces."""


@dataclass(frozen=True, slots=True)
class MoveInterfaces(Step):
    """Move interfaces of the host's here, with their addresses; pairs of old and new name."""

    interfaces: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MountOverlay(Step):
    """The root, stacked: ``lower`` top first and relative to ``cwd`` to keep the option short.

    ``mountpoint`` is one empty directory that all containers share: each mounts on it in a mount
    namespace of its own. Without ``upper`` the root cannot be written.
    """

    cwd: str
    lower: tuple[str, ...]
    upper: str
    work: str
    mountpoint: str
    options: tuple[str, ...] = ()
    devices: bool = True
    """Whether device nodes in it can be opened."""
    uid_map: tuple[tuple[int, int, int], ...] = ()
    gid_map: tuple[tuple[int, int, int], ...] = ()
    """With maps it shows other owners than are on disk."""
    staged: bool = False
    """``mountpoint`` is a name in the staging area, to be made."""


@dataclass(frozen=True, slots=True)
class MountDirectory(Step):
    """The root, as a directory that has everything in it. The fields are those of MountOverlay."""

    source: str
    mountpoint: str
    devices: bool = True
    uid_map: tuple[tuple[int, int, int], ...] = ()
    gid_map: tuple[tuple[int, int, int], ...] = ()
    staged: bool = False


MountedRoot = MountOverlay | MountDirectory


@dataclass(frozen=True, slots=True)
class MakeStaging(Step):
    """A mount namespace of the stage's own, and a tmpfs to be its staging area.

    There lies what takes the host's rights to come by, for a container that won't have them: it
    gets a copy of this mount namespace and finds everything by a name relative to where it is.
    Crossing into the other user namespace also locks what the mounts have (``nosuid``, what they
    cover), so that nobody in there can take it off. Nothing mounted here reaches the host.
    """


@dataclass(frozen=True, slots=True)
class EnterStaging(Step):
    """Attach the area on ``place``, and in it what has been copied so far; go there.

    Not on the root directory: whoever is covered by a mount on it cannot let go of it later.
    """

    place: str


@dataclass(frozen=True, slots=True)
class StageTree(Step):
    """Copy the host's mount at ``source``, to be ``name`` in the staging area.

    The masks are those of BindMount, the maps those of CopyTree.
    """

    name: str
    source: str
    recursive: bool = False
    set_attributes: int = 0
    clear_attributes: int = 0
    recursive_set: int = 0
    recursive_clear: int = 0
    uid_map: tuple[tuple[int, int, int], ...] = ()
    gid_map: tuple[tuple[int, int, int], ...] = ()
    map_recursive: bool = False


@dataclass(frozen=True, slots=True)
class StageNode(Step):
    """Make a device node as ``name`` in the staging area; owners are the host's ids.

    Where the kernel lets nobody make nodes, the host's own at ``source`` is shown.
    """

    name: str
    source: str
    kind: str
    major: int
    minor: int
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class BindRoot(Step):
    """The root is a directory that is there already."""

    source: str
    propagation: str = ""


@dataclass(frozen=True, slots=True)
class Mount(Step):
    """A new file system at ``target``.

    ``attributes`` are MOUNT_ATTR_* bits, ``options`` the file system's own (``mode=755``).
    """

    fstype: str
    source: str
    target: str
    attributes: int = 0
    options: tuple[str, ...] = ()
    propagation: str = ""
    mode: int = 0o755
    copy_up: bool = False


@dataclass(frozen=True, slots=True)
class BindMount(Step):
    """The host's ``source`` seen at ``target``, which is created as what the source is.

    The four masks are MOUNT_ATTR_* bits; the ``recursive_`` ones hold for submounts too.
    """

    source: str
    target: str
    recursive: bool = False
    set_attributes: int = 0
    clear_attributes: int = 0
    recursive_set: int = 0
    recursive_clear: int = 0
    propagation: str = ""
    staged: str = ""
    """Where the source lies in the staging area, if it does."""


@dataclass(frozen=True, slots=True)
class MakeNode(Step):
    """A device node; ``kind`` is c, b or p."""

    path: str
    kind: str
    major: int
    minor: int
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class MakeLink(Step):
    """A symbolic link, left alone when something is there already."""

    path: str
    content: str


@dataclass(frozen=True, slots=True)
class MakeConsole(Step):
    """Open a pty in the container's own devpts, show it as /dev/console, hand out the master."""

    height: int = 0
    width: int = 0


@dataclass(frozen=True, slots=True)
class MountCgroup1(Step):
    """A tmpfs with one bind of our own directory per v1 hierarchy, and links for joined names."""

    target: str
    hierarchies: tuple[tuple[str, str], ...]
    """Pairs of name below ``target`` and host directory to show there."""
    links: tuple[tuple[str, str], ...] = ()
    attributes: int = 0


@dataclass(frozen=True, slots=True)
class WriteSysctl(Step):
    """``key`` with dots, as sysctl(8) writes it."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class MaskPaths(Step):
    """Files become /dev/null, directories an empty read-only tmpfs; missing ones are skipped."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadonlyPaths(Step):
    """Remount in place, read-only; missing ones are skipped."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MakeDirectory(Step):
    """``mkdir -p`` inside the container: the working directory."""

    path: str
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class ReadonlyRoot(Step):
    """The root mount itself becomes read-only; mounts on it keep what they have."""


@dataclass(frozen=True, slots=True)
class PivotRoot(Step):
    """Make the container's root ours and let go of the host's.

    With ``by_move`` the root's mount is moved over the host's instead, which stays below it: the
    only way where the host's root is an initramfs, and no match for who may use chroot inside.
    """

    by_move: bool = False


STEPS: dict[str, type[Step]] = {kind.__name__: kind for kind in Step.__subclasses__()}


def step_to_plain(step: Step) -> "list[Any]":
    """Return the JSON form of a step."""
    return [type(step).__name__, CODEC.to_plain(step)]


def step_from_plain(plain: object, where: str) -> Step:
    """Read a step back; raise ValueError when its kind or a field is unknown."""
    if not isinstance(plain, list) or len(plain) != 2 or plain[0] not in STEPS:
        raise ValueError(f"{where}: [step name, fields] expected")
    return CODEC.from_plain(STEPS[plain[0]], plain[1], f"{where}.{plain[0]}")
