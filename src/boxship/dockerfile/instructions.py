"""The instructions of a Dockerfile, one type each. This is where to start reading.

Values stand as they were written: variables are replaced by ``expansion.expand``, which returns
the same types. Every instruction knows its place (``where``) and its text (``code``: continuation
lines joined, comments taken out), which is what a builder shows and what histories contain.

::

    parsing.parse(text) -> Dockerfile
                             ├── directives     # syntax=, # escape=, # check=
                             ├── arguments      ARG before the first FROM
                             ├── stages         Stage(FROM …) with its instructions
                             └── findings       what the parser noticed for the lint rules
"""

from dataclasses import dataclass
from typing import TypeAlias

from boxship.dockerfile.mounts import Mount
from boxship.dockerfile.places import NOWHERE, Range


@dataclass(frozen=True, slots=True)
class Heredoc:
    """A file within the text: ``<<EOF``, ``<<-EOF``, ``<<'EOF'``.

    ``name`` is the word that ends it, and the name of the file where a path is needed. ``content``
    has its leading tabs even for ``<<-``: use :attr:`text`. ``expand`` is false for quoted words.
    ``descriptor`` is the number before ``<<`` (0).
    """

    name: str
    content: str
    expand: bool = True
    chomp: bool = False
    descriptor: int = 0

    @property
    def text(self) -> str:
        """The content as it is meant, without leading tabs if ``<<-`` asked for that."""
        if not self.chomp:
            return self.content
        return "".join(line.lstrip("\t") for line in self.content.splitlines(keepends=True))


@dataclass(frozen=True, slots=True)
class ExecForm:
    """``["executable", "parameter"]``: run as it is, without a shell."""

    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShellForm:
    """A line for the shell of the stage. Heredocs that the shell shall read are part of it."""

    line: str


@dataclass(frozen=True, slots=True)
class Script:
    """``RUN <<EOF``: nothing but a heredoc.

    The shell gets ``text`` as its line; if it begins with ``#!`` it is a file that is executed
    (``name`` is the heredoc's).
    """

    name: str
    text: str

    @property
    def is_program(self) -> bool:
        """Tell whether it names its interpreter itself."""
        return self.text.startswith("#!")


CommandLine: TypeAlias = ExecForm | ShellForm | Script


@dataclass(frozen=True, slots=True)
class Pair:
    """``name=value`` of ENV and LABEL."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Definition:
    """``name`` or ``name=default`` of ARG. ``comment`` describes it, as in ``# name text``."""

    name: str
    default: str | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """What all instructions have."""

    where: Range = NOWHERE
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files(Instruction):
    """What ADD and COPY have in common.

    ``sources`` are paths, patterns or addresses in the order of the text, ``contents`` the
    heredocs among the sources, which are files of that name. ``chown`` and ``chmod`` are empty if
    not given.
    """

    sources: tuple[str, ...] = ()
    contents: tuple[Heredoc, ...] = ()
    destination: str = ""
    chown: str = ""
    chmod: str = ""
    link: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Files):
    """``ADD``. ``unpack`` and ``keep_git_dir`` are ``None`` where the source decides.

    ``checksum`` is a digest, or of a git source the commit; empty if not given.
    """

    checksum: str = ""
    unpack: bool | None = None
    keep_git_dir: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Files):
    """``COPY``. ``origin`` (``--from``) is a stage's name or index, a named context or an image."""

    origin: str | None = None
    parents: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg(Instruction):
    """``ARG``, in a stage or before the first."""

    definitions: tuple[Definition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmd(Instruction):
    """``CMD``."""

    command: CommandLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint(Instruction):
    """``ENTRYPOINT``. An empty :class:`ExecForm` takes the base image's away."""

    command: CommandLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Env(Instruction):
    """``ENV``. Later pairs don't see earlier ones of the same instruction."""

    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose(Instruction):
    """``EXPOSE``. Words as written, such as ``80``, ``8000-8010/udp``; ``ports.py`` reads them."""

    ports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck(Instruction):
    """``HEALTHCHECK``.

    ``command`` is ``None`` for ``NONE``. Durations are nanoseconds, 0 where not given.
    """

    command: CommandLine | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Instruction):
    """``LABEL``."""

    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer(Instruction):
    """``MAINTAINER``."""

    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Onbuild(Instruction):
    """``ONBUILD``. ``trigger`` is the text that goes into the image, heredocs included.

    ``parsing.parse_trigger`` reads it when another image is built on this one.
    """

    trigger: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """``RUN --device``: a CDI device's name."""

    name: str
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Instruction):
    """``RUN``. ``network`` is default, none or host; ``security`` is sandbox or insecure.

    ``mount_words`` are the values of ``--mount`` as written, ``mounts`` what they mean. If they
    contain variables or quotes, only :func:`boxship.dockerfile.expansion.expand` can tell.
    """

    command: CommandLine
    mounts: tuple[Mount, ...] = ()
    mount_words: tuple[str, ...] = ()
    network: str = "default"
    security: str = "sandbox"
    devices: tuple[Device, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell(Instruction):
    """``SHELL``: what lines of the shell form are given to."""

    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSignal(Instruction):
    """``STOPSIGNAL``: a name or a number, as written."""

    signal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Instruction):
    """``USER``."""

    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Instruction):
    """``VOLUME``."""

    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdir(Instruction):
    """``WORKDIR``, absolute or relative to the one before."""

    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class From(Instruction):
    """``FROM``. ``name`` is in lower case, and empty if the stage has none.

    ``platform`` is empty if not given. ``comment`` is the description above, as in ``# name text``.
    """

    base: str = ""
    name: str = ""
    platform: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """A ``FROM`` and what follows it. ``index`` counts from 0."""

    index: int
    start: From
    instructions: tuple[Instruction, ...] = ()

    @property
    def name(self) -> str:
        """Its name, or an empty text."""
        return self.start.name


@dataclass(frozen=True, slots=True)
class Directives:
    """What the comments of the first lines say. ``skip`` are lint rules' names in lower case.

    ``syntax`` names a frontend image; there is one frontend here, and it is only noted.
    """

    escape: str = "\\"
    syntax: str = ""
    skip: tuple[str, ...] = ()
    skip_all: bool = False
    experimental: tuple[str, ...] = ()
    experimental_all: bool = False
    warnings_are_errors: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A warning: a lint rule (by its name) that the text breaks, where, and what to do."""

    rule: str
    message: str
    where: Range


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A Dockerfile that is well-formed. ``findings`` came up while reading it.

    ``text`` is what was read, with INCLUDE lines as they are; ``name`` its name for a person.
    """

    name: str
    text: str
    directives: Directives
    arguments: tuple[Arg, ...]
    stages: tuple[Stage, ...]
    findings: tuple[Finding, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    """What INCLUDE brought in: name and text."""
