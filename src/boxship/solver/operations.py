"""What a build consists of: operations, each of which makes one tree of files.

::

    ImageSource   LocalSource   HttpSource   GitSource   LayoutSource      no inputs
                     │
    Exec          inputs: the root, then what is mounted from elsewhere
    FileActions   inputs: the root (or nothing at all below), then what is copied from
    Merge         inputs: trees, the later over the earlier

An operation says everything that decides about its result, and nothing else: who asks, when, how
often and under which name stands beside it (``graph.py``). That is why its encoding can be the
beginning of a cache key. What must never decide (values of secrets, proxies) is not here at all,
or is left out of the key by name (``keys.py``).

Inputs are positions in the vertex's list of inputs; ``None`` is the empty tree.
"""

import msgspec

Input = int | None
"""A position among the vertex's inputs, from 0; ``None``: the empty tree."""


class _Operation(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="is"):
    """Frozen; equal if all fields are."""


class ImageSource(_Operation, frozen=True, tag="image"):
    """The layers of an image in the store."""

    reference: str
    """As the Dockerfile says, for people; ``layers`` decides."""
    platform: str
    """``os/architecture[/variant]``."""
    layers: tuple[str, ...] = ()
    """Diff ids, lowest first."""


class LocalSource(_Operation, frozen=True, tag="local"):
    """A directory of the client (or of the daemon, for a context that came as a tar).

    Its content decides, by the parts that are used of it; never its name.
    """

    name: str
    """``context``, ``dockerfile``, or of a named context."""
    include: tuple[str, ...] = ()
    """Patterns of what is needed at all; empty: everything."""
    exclude: tuple[str, ...] = ()
    """Patterns of ``.dockerignore``, in order."""


class HttpSource(_Operation, frozen=True, tag="http"):
    """A file fetched from a URL; its digest decides. The tree has that file alone."""

    url: str
    checksum: str = ""
    """``sha256:…`` that it must have; empty: any."""
    filename: str = ""
    """Its name in the tree; empty: what the server or the URL says."""


class GitSource(_Operation, frozen=True, tag="git"):
    """A checkout; the commit decides."""

    remote: str
    ref: str = ""
    """Branch, tag, full ref or commit; empty: the remote's ``HEAD``."""
    subdirectory: str = ""
    checksum: str = ""
    """The commit, or the beginning of it, that it must be; empty: any."""
    keep_git_directory: bool = False
    submodules: bool = True


class LayoutSource(_Operation, frozen=True, tag="oci-layout"):
    """An image in an OCI layout that the client keeps."""

    store: str
    reference: str
    """``name[:tag][@digest]``."""
    platform: str = ""


class BindMount(_Operation, frozen=True, tag="bind"):
    """Part of another tree, in sight while the step runs."""

    target: str
    input: Input = None
    source: str = "/"
    writable: bool = False
    """What is written is thrown away afterwards."""


class CacheMount(_Operation, frozen=True, tag="cache"):
    """A directory that stays from build to build, and is in no layer."""

    target: str
    id: str
    sharing: str = "shared"
    """``shared``, ``private`` or ``locked``."""
    input: Input = None
    """What it has in it when it is new."""
    source: str = "/"
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    read_only: bool = False


class TmpfsMount(_Operation, frozen=True, tag="tmpfs"):
    """Memory as a directory. ``size`` in bytes; 0: the kernel's default."""

    target: str
    size: int = 0


class SecretMount(_Operation, frozen=True, tag="secret"):
    """A secret as a file in memory, or as a variable, or both."""

    id: str
    target: str = ""
    """Where the file is; empty: no file."""
    variable: str = ""
    """The variable's name; empty: none."""
    required: bool = False
    mode: int = 0o400
    uid: int = 0
    gid: int = 0


class SshMount(_Operation, frozen=True, tag="ssh"):
    """A socket behind which the client's agent answers; ``SSH_AUTH_SOCK`` names the first one."""

    id: str
    target: str
    required: bool = False
    mode: int = 0o600
    uid: int = 0
    gid: int = 0


Mount = BindMount | CacheMount | TmpfsMount | SecretMount | SshMount


class Ulimit(_Operation, frozen=True, tag="ulimit"):
    """A limit of the kernel's per process; -1: none."""

    name: str
    soft: int
    hard: int


class Limits(_Operation, frozen=True, tag="limits"):
    """How much of the machine a step may take; 0 and empty: no limit of its own.

    They are no part of a cache key: a result does not depend on how fast it was made.
    """

    memory: int = 0
    """Bytes."""
    memory_swap: int = 0
    """Bytes of memory and swap together; -1: without bound."""
    cpu_shares: int = 0
    cpu_period: int = 0
    """Microseconds."""
    cpu_quota: int = 0
    """Microseconds per period."""
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    shm_size: int = 0
    """Bytes of ``/dev/shm``; 0: 64 MiB."""
    ulimits: tuple[Ulimit, ...] = ()
    cgroup_parent: str = ""


class Exec(_Operation, frozen=True, tag="exec"):
    """A program over a tree; what it writes is the new layer. The first input is the root."""

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    """``NAME=value``, in order."""
    cwd: str = "/"
    user: str = ""
    """``user[:group]`` by name or number, looked up in the root; empty: root."""
    root: Input = 0
    mounts: tuple[Mount, ...] = ()
    network: str = "default"
    """``default`` (behind the default bridge), ``none``, ``host``, or a network's name."""
    security: str = "sandbox"
    """``sandbox`` or ``insecure`` (all capabilities, no seccomp, devices writable)."""
    hostname: str = ""
    """Empty: ``buildkitsandbox``."""
    extra_hosts: tuple[tuple[str, str], ...] = ()
    """Name and address."""
    devices: tuple[str, ...] = ()
    """Names as CDI has them; not there: an error."""
    optional_devices: tuple[str, ...] = ()
    """Those that are given only if the machine has them."""
    stdin: str = ""
    """Text on its standard input: the heredoc of ``RUN <<EOF`` with a ``#!`` line goes by a file
    instead."""
    script: str = ""
    """A heredoc with a ``#!`` line: the text of the file that ``args[0]`` names for the length of
    the step."""


class Owner(_Operation, frozen=True, tag="owner"):
    """Who a file will belong to, as written: names are looked up in the root that is written to.

    An empty group is the user's own number, as Docker has it.
    """

    user: str = ""
    group: str = ""


class Copy(_Operation, frozen=True, tag="copy"):
    """Copy files from an input.

    ``source`` is a path or pattern within it, cleaned and absolute; ``destination`` absolute.
    """

    input: Input
    source: str
    destination: str
    into_directory: bool = False
    """Whether ``destination`` is a directory that takes the sources (several sources, or it ended
    in a slash); otherwise a file takes that very name and a directory's content goes there."""
    owner: Owner | None = None
    """None: root."""
    mode: str = ""
    """Octal (``0644``) or symbolic (``u=rwX,go=rX``); empty: as the source has it."""
    exclude: tuple[str, ...] = ()
    """Patterns, relative to the source."""
    keep_parents: bool = False
    """``--parents``: the path of the source (from ``/./`` on) is kept below the destination."""
    wildcards: bool = True
    unpack: bool = False
    """Whether a tar archive is unpacked in place of being copied (``ADD``)."""
    unpack_required: bool = False
    """``--unpack``: an archive is expected even where none would be guessed."""
    required: bool = True
    """Whether a pattern that nothing fits is an error."""
    modified_ns: int | None = None
    """The time all that is copied gets; None: as the source has it."""


class MakeDirectory(_Operation, frozen=True, tag="mkdir"):
    """Make a directory and those above it; one that is there stays as it is."""

    path: str
    mode: int = 0o755
    owner: Owner | None = None
    modified_ns: int | None = None


class MakeFile(_Operation, frozen=True, tag="mkfile"):
    """Write a file (a heredoc of ``COPY``); one that is there is replaced."""

    path: str
    data: bytes
    into_directory: str = ""
    """The name within ``path``, if that is (or ends in a slash: becomes) a directory."""
    mode: str = ""
    """Octal or symbolic; empty: 0644."""
    owner: Owner | None = None
    modified_ns: int | None = None


FileAction = Copy | MakeDirectory | MakeFile


class FileActions(_Operation, frozen=True, tag="files"):
    """Changes to a tree, one after the other; all together are one new layer."""

    actions: tuple[FileAction, ...]
    root: Input = 0
    """``None`` for ``--link``: the layer is made over nothing."""


class Merge(_Operation, frozen=True, tag="merge"):
    """All inputs over each other, the first lowest: their layers in a row, no new one."""


Operation = (
    ImageSource | LocalSource | HttpSource | GitSource | LayoutSource | Exec | FileActions | Merge
)
Source = ImageSource | LocalSource | HttpSource | GitSource | LayoutSource
