"""Every command: its names, where its code is, and one line about it.

``boxship --help``, the resolution of a command line and shell completion all read this table; a
verb's flags stand with its code, which is imported only when the verb is used.
"""

from enum import Enum
from typing import NamedTuple

PROGRAM = "boxship"


class Group(Enum):
    COMMON = "Common commands"
    OTHER = "Commands"
    HIDDEN = ""


class Noun(NamedTuple):
    name: str
    summary: str


class Entry(NamedTuple):
    noun: str  # "" for verbs that belong to none
    name: str  # the verb behind the noun
    module: str  # below boxship.cli.command
    summary: str
    top: str = ""  # its name without a noun, "" for none
    aliases: tuple[str, ...] = ()  # other names behind the noun
    group: Group = Group.OTHER

    @property
    def paths(self) -> tuple[str, ...]:
        """All spellings, the canonical one first."""
        behind_noun = (self.name, *self.aliases) if self.noun else ()
        spelled = tuple(f"{self.noun} {name}" for name in behind_noun)
        return (*spelled, self.top) if self.top else spelled


NOUNS = (
    Noun("builder", "Work with the builder's cache"),
    Noun("buildx", "Build by BuildKit's API"),
    Noun("buildx history", "Look at builds of before"),
    Noun("buildx imagetools", "Work with images in registries"),
    Noun("checkpoint", "Save what containers do, to go on from there"),
    Noun("container", "Work with containers"),
    Noun("context", "Give daemons names, and choose one"),
    Noun("image", "Work with images"),
    Noun("manifest", "Look at manifests in registries"),
    Noun("network", "Work with networks"),
    Noun("plugin", "Work with managed plugins"),
    Noun("system", "Look after the daemon"),
    Noun("system socket", "Let others do some things, and nothing else"),
    Noun("volume", "Work with volumes"),
)


def _container(name: str, summary: str, *aliases: str, top: str | None = None) -> Entry:
    top_name = name if top is None else top
    return Entry("container", name, f"container.{name}", summary, top_name, aliases)


def _network(name: str, summary: str, *aliases: str) -> Entry:
    return Entry("network", name, f"network.{name}", summary, "", aliases)


def _volume(name: str, summary: str, *aliases: str) -> Entry:
    return Entry("volume", name, f"volume.{name}", summary, "", aliases)


def _plugin(name: str, summary: str, *aliases: str) -> Entry:
    return Entry("plugin", name, f"plugin.{name}", summary, "", aliases)


def _context(name: str, summary: str, *aliases: str, module: str = "") -> Entry:
    return Entry("context", name, f"context.{module or name}", summary, "", aliases)


def _socket(name: str, summary: str, *aliases: str) -> Entry:
    return Entry("system socket", name, f"system.socket{name}", summary, "", aliases)


ENTRIES = (
    Entry(
        "container",
        "run",
        "container.run",
        "Create a container from an image and run it",
        "run",
        group=Group.COMMON,
    ),
    Entry(
        "container",
        "exec",
        "container.exec",
        "Run one more command inside a running container",
        "exec",
        group=Group.COMMON,
    ),
    Entry(
        "container",
        "ls",
        "container.ps",
        "List containers",
        "ps",
        ("list", "ps"),
        Group.COMMON,
    ),
    Entry("image", "ls", "image.ls", "List images", "images", ("list",), Group.COMMON),
    _container("attach", "Connect the terminal to a running container"),
    _container("commit", "Make an image of what a container is now"),
    _container("cp", "Copy files between a container and this machine"),
    _container("create", "Create a container without starting it"),
    _container("diff", "List what a container has changed in its files"),
    _container("explain", "Show what a container is made of, and the commands that make it"),
    _container("export", "Write all files of a container to an archive"),
    _container("kill", "Send a signal to containers, SIGKILL by default"),
    _container("logs", "Show what a container has written"),
    _container("pause", "Freeze every process of containers"),
    _container("port", "Show where a container's ports are published"),
    _container("prune", "Remove all containers that do not run", top=""),
    _container("rename", "Give a container another name"),
    _container("restart", "Stop containers and start them again"),
    _container("rm", "Remove containers", "remove"),
    _container("start", "Start stopped containers"),
    _container("stats", "Show what containers use, again and again"),
    _container("stop", "Ask containers to end, and end them when they do not"),
    _container("top", "Show what all containers use, live, or the processes of one"),
    _container("unpause", "Let frozen containers go on"),
    _container("update", "Change limits, restart policy, ports and networks of containers"),
    _container("wait", "Wait until containers end and print their exit codes"),
    _container("inspect", "Show all details of containers", top=""),
    Entry("checkpoint", "create", "checkpoint.create", "Save what a running container does"),
    Entry("checkpoint", "ls", "checkpoint.ls", "List a container's checkpoints", "", ("list",)),
    Entry("checkpoint", "rm", "checkpoint.rm", "Remove a checkpoint", "", ("remove",)),
    Entry("image", "build", "build.build", "Make an image from a Dockerfile", "build"),
    Entry("builder", "build", "build.build", "Make an image from a Dockerfile"),
    Entry("builder", "prune", "builder.prune", "Remove the cache of builds"),
    Entry("buildx", "bake", "buildx.bake", "Build many targets that files define", "bake", ("f",)),
    Entry("buildx", "build", "build.build", "Make an image from a Dockerfile", "", ("b",)),
    Entry("buildx", "create", "buildx.create", "Create a builder: there is one, the engine's"),
    Entry("buildx", "dial-stdio", "buildx.dialstdio", "Pass standard streams to the builder"),
    Entry("buildx", "du", "buildx.du", "Show what the cache of builds takes on the disk"),
    Entry("buildx", "inspect", "buildx.inspect", "Show all details of the builder"),
    Entry("buildx", "ls", "buildx.ls", "List builders"),
    Entry("buildx", "prune", "buildx.prune", "Remove the cache of builds"),
    Entry("buildx", "rm", "buildx.rm", "Remove a builder: the engine's stays"),
    Entry("buildx", "stop", "buildx.stop", "Stop a builder: the engine's goes on"),
    Entry("buildx", "use", "buildx.use", "Choose a builder: there is one, the engine's"),
    Entry("buildx", "version", "buildx.version", "Show the version"),
    Entry("buildx history", "inspect", "buildx.historyinspect", "Show all details of a build"),
    Entry("buildx history", "logs", "buildx.historylogs", "Show what a build has told"),
    Entry("buildx history", "ls", "buildx.historyls", "List builds"),
    Entry("buildx history", "rm", "buildx.historyrm", "Forget builds"),
    Entry("buildx imagetools", "create", "buildx.imagecreate", "Make an index of images"),
    Entry("buildx imagetools", "inspect", "buildx.imageinspect", "Show an image of a registry"),
    Entry("image", "bootstrap", "image.bootstrap", "Make a base image from a package mirror"),
    Entry("image", "copy", "image.copy", "Copy an image between engines, registries and files"),
    Entry("image", "history", "image.history", "Show how an image came about", "history"),
    Entry("image", "import", "image.importing", "Make an image from a tar archive", "import"),
    Entry("image", "inspect", "image.inspect", "Show all details of images"),
    Entry("image", "load", "image.load", "Read images from an archive", "load"),
    Entry("image", "prune", "image.prune", "Remove images that no container uses"),
    Entry("image", "pull", "image.pull", "Bring an image from its registry", "pull"),
    Entry("image", "push", "image.push", "Bring an image to its registry", "push"),
    Entry("image", "rm", "image.rm", "Remove images", "rmi", ("remove",)),
    Entry("image", "save", "image.save", "Write images to an archive", "save"),
    Entry("image", "tag", "image.tag", "Give an image one more name", "tag"),
    Entry("", "login", "registry.login", "Log in to a registry", "login"),
    Entry("", "logout", "registry.logout", "Forget the login to a registry", "logout"),
    Entry("manifest", "inspect", "manifest.inspect", "Show a manifest of a registry"),
    _network("audit", "Show where containers with egress rules connected to"),
    _network("connect", "Connect a container to a network"),
    _network("create", "Create a network"),
    _network("disconnect", "Disconnect a container from a network"),
    _network("inspect", "Show all details of networks"),
    _network("ls", "List networks", "list"),
    _network("map", "Draw networks, and the containers, addresses and ports on them"),
    _network("prune", "Remove all networks that no container uses"),
    _network("rm", "Remove networks", "remove"),
    _plugin("create", "Make a plugin of a directory with config.json and rootfs"),
    _plugin("disable", "Stop a plugin"),
    _plugin("enable", "Start a plugin"),
    _plugin("inspect", "Show all details of plugins"),
    _plugin("install", "Bring a plugin from its registry, and start it"),
    _plugin("ls", "List plugins", "list"),
    _plugin("push", "Bring a plugin to its registry"),
    _plugin("rm", "Remove plugins", "remove"),
    _plugin("set", "Change settings of a plugin"),
    _plugin("upgrade", "Put another version in a plugin's place"),
    _volume("clone", "Make another volume with the same files"),
    _volume("cp", "Copy files between a volume and this machine, or another volume"),
    _volume("create", "Create a volume"),
    _volume("export", "Write all files of a volume to an archive"),
    Entry("volume", "import", "volume.importing", "Make a volume from a tar archive"),
    _volume("inspect", "Show all details of volumes"),
    _volume("ls", "List volumes", "list"),
    _volume("prune", "Remove volumes that no container uses"),
    _volume("rename", "Give a volume another name"),
    _volume("rm", "Remove volumes", "remove"),
    _volume("snapshot", "Keep a volume's files as they are now"),
    _volume("update", "Change a volume of a swarm"),
    Entry("", "search", "registry.search", "Search a registry for images", "search"),
    Entry("", "inspect", "system.inspect", "Show all details of containers or images", "inspect"),
    Entry("", "why", "system.why", "Say why something is as it is, and what holds it", "why"),
    Entry("system", "df", "system.df", "Show what takes space on the disk"),
    Entry("system", "prune", "system.prune", "Remove what nobody uses"),
    Entry(
        "system",
        "dial-stdio",
        "system.dialstdio",
        "Pass standard input and output on to the daemon",
    ),
    Entry("system", "check", "system.check", "Verify what is stored, and repair what can be"),
    Entry("system", "install", "system.install", "Make Boxship a part of this machine"),
    Entry("system", "uninstall", "system.uninstall", "Undo what install has done; data stays"),
    Entry(
        "system",
        "import-docker",
        "system.importdocker",
        "Take over what a stopped Docker daemon has",
    ),
    Entry("system", "trash", "system.trash", "Bring back what was removed, or empty the trash"),
    _context("create", "Give a daemon a name"),
    _context("export", "Write a context to an archive"),
    _context("import", "Make a context of an archive", module="importing"),
    _context("inspect", "Show all details of contexts"),
    _context("ls", "List contexts", "list"),
    _context("rm", "Remove contexts", "remove"),
    _context("show", "Print the name of the context that holds"),
    _context("update", "Change a context"),
    _context("use", "Choose the context that holds from now on"),
    _socket("audit", "Show who asked for what, and whether it was allowed"),
    _socket("create", "Make a socket or token that can do what is said, and nothing else"),
    _socket("inspect", "Show all details of sockets and tokens"),
    _socket("ls", "List sockets and tokens with limits", "list"),
    _socket("rm", "Remove sockets and tokens, and send their clients away", "remove"),
    Entry(
        "system",
        "events",
        "system.events",
        "Follow what happens in the daemon",
        "events",
    ),
    Entry(
        "system",
        "info",
        "system.info",
        "Describe the daemon and its machine",
        "info",
        group=Group.COMMON,
    ),
    Entry("", "completion", "system.completion", "Print a shell's completion script", "completion"),
    Entry(
        "",
        "version",
        "system.version",
        "Show the versions of client and daemon",
        "version",
        group=Group.COMMON,
    ),
)


def find(path: str) -> Entry | None:
    """The entry for ``"ps"`` or ``"container ls"``."""
    for entry in ENTRIES:
        if path in entry.paths:
            return entry
    return None


def find_noun(name: str) -> Noun | None:
    return next((noun for noun in NOUNS if noun.name == name), None)


def nouns_below(name: str) -> tuple[Noun, ...]:
    """Nouns behind a noun, as ``buildx history``; those of the first rank for an empty name."""
    return tuple(noun for noun in NOUNS if noun.name.rpartition(" ")[0] == name)


def verbs_of(noun: str) -> tuple[Entry, ...]:
    entries = [entry for entry in ENTRIES if entry.noun == noun]
    return tuple(sorted(entries, key=lambda entry: entry.name))
