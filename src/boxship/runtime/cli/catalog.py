"""Every verb and flag of ``boxship-runtime``. Parsing, help and tests all read it here."""

from boxship.runtime.cli.syntax import NUMBER, TEXT, TEXTS, Flag, Verb

GLOBAL_FLAGS = (
    Flag("root", TEXT, "directory of the containers' state"),
    Flag("log", TEXT, "file that errors and warnings go to, besides stderr"),
    Flag("log-format", TEXT, "text or json", "text"),
    Flag("debug", help_text="say more"),
    Flag("systemd-cgroup", help_text="cgroupsPath is SLICE:PREFIX:NAME; ask systemd for the scope"),
    Flag("rootless", TEXT, "true, false or auto", "auto"),
    Flag("criu", TEXT, "program for checkpoint and restore", "criu"),
    Flag("help h", help_text="print this"),
    Flag("version v", help_text="print the version"),
)

_BUNDLE = Flag("bundle b", TEXT, "directory of config.json", ".")
_PID_FILE = Flag("pid-file", TEXT, "where to write the process's pid")
_CONSOLE = Flag("console-socket", TEXT, "unix socket that is sent the terminal's master")
_PRESERVE = Flag("preserve-fds", NUMBER, "how many descriptors from 3 on are handed over")
_MAKING = (
    _BUNDLE,
    _PID_FILE,
    _CONSOLE,
    _PRESERVE,
    Flag("no-pivot", help_text="move the root's mount and chroot instead of pivot_root"),
    Flag("no-new-keyring", help_text="keep the caller's session keyring"),
)
_DETACH = Flag("detach d", help_text="return when the process runs")
_NO_SUBREAPER = Flag("no-subreaper", help_text="do not adopt orphans")
_FORMAT = Flag("format f", TEXT, "table or json", "table")
_CRIU = (
    Flag("image-path", TEXT, "directory of the images"),
    Flag("work-path", TEXT, "directory of logs and temporary files"),
    Flag("tcp-established", help_text="allow open TCP connections"),
    Flag("ext-unix-sk", help_text="allow external unix sockets"),
    Flag("shell-job", help_text="allow a terminal of the caller's"),
    Flag("file-locks", help_text="allow file locks"),
    Flag("manage-cgroups-mode", TEXT, "soft, full, strict or ignore"),
)
_LIMITS = (
    Flag("resources r", TEXT, "file of JSON with resources, - for stdin"),
    Flag("blkio-weight", NUMBER, "10 to 1000"),
    Flag("cpu-period", NUMBER, "microseconds"),
    Flag("cpu-quota", NUMBER, "microseconds per period"),
    Flag("cpu-burst", NUMBER, "microseconds"),
    Flag("cpu-share", NUMBER, "weight beside other containers"),
    Flag("cpu-rt-period", NUMBER, "microseconds, of realtime processes"),
    Flag("cpu-rt-runtime", NUMBER, "microseconds per period, of realtime processes"),
    Flag("cpu-idle", NUMBER, "1: run only when nobody else wants to"),
    Flag("cpuset-cpus", TEXT, "processors, such as 0-2,4"),
    Flag("cpuset-mems", TEXT, "memory nodes"),
    Flag("memory m", TEXT, "bytes"),
    Flag("memory-reservation", TEXT, "bytes that stay when memory is short"),
    Flag("memory-swap", TEXT, "bytes, of memory and swap together"),
    Flag("kernel-memory", TEXT, "obsolete, ignored"),
    Flag("kernel-memory-tcp", TEXT, "obsolete, ignored"),
    Flag("pids-limit", NUMBER, "processes and threads, -1 for any number"),
    Flag("l3-cache-schema", TEXT, "Intel RDT: schema of the L3 cache"),
    Flag("mem-bw-schema", TEXT, "Intel RDT: schema of memory bandwidth"),
)

VERBS = (
    Verb("create", "make a container whose process waits for start", flags=_MAKING, sealed=True),
    Verb("start", "let a created container's process begin"),
    Verb(
        "run", "create, start and, unless detached, wait for the end",
        flags=(*_MAKING, _DETACH, _NO_SUBREAPER, Flag("keep", help_text="do not delete it")),
        sealed=True,
    ),
    Verb("state", "print a container's state as JSON"),
    Verb(
        "list", "list containers", "", 0,
        (_FORMAT, Flag("quiet q", help_text="print ids alone")),
    ),
    Verb("ps", "list a container's processes", "ID [PS-OPTION...]", 1, (_FORMAT,),
         most=-1, interspersed=False),
    Verb("kill", "send a signal, TERM by default", "ID [SIGNAL]", 1,
         (Flag("all a", help_text="to every process of the container"),), most=2),
    Verb("delete", "remove what is left of a stopped container",
         flags=(Flag("force f", help_text="kill it first"),)),
    Verb(
        "exec", "run one more process in a container", "ID COMMAND [ARG...]", 1,
        (
            Flag("process p", TEXT, "file with the process as JSON"),
            Flag("tty t", help_text="with a terminal"),
            Flag("user u", TEXT, "UID[:GID]"),
            Flag("additional-gids g", TEXTS, "a group to add"),
            Flag("cwd", TEXT, "directory in the container, made if there is none"),
            Flag("env e", TEXTS, "NAME=VALUE"),
            Flag("cap c", TEXTS, "a capability to add"),
            Flag("no-new-privs", help_text="set no_new_privs"),
            Flag("cgroup", TEXTS, "[CONTROLLER[,...]:]PATH below the container's cgroup"),
            Flag("ignore-paused", help_text="even if the container is paused"),
            Flag("apparmor", TEXT, "profile of AppArmor"),
            Flag("process-label", TEXT, "label of SELinux"),
            _DETACH, _PID_FILE, _CONSOLE, _PRESERVE, _NO_SUBREAPER,
        ),
        most=-1, sealed=True, interspersed=False,
    ),
    Verb("pause", "stop every process of a container where it is"),
    Verb("resume", "let a paused container go on"),
    Verb("update", "change a running container's limits", flags=_LIMITS),
    Verb("events", "print statistics and oom events as JSON", flags=(
        Flag("interval", TEXT, "time between statistics", "5s"),
        Flag("stats", help_text="print statistics once"),
    )),
    Verb("spec", "write a config.json to start from", "", 0,
         (_BUNDLE, Flag("rootless", help_text="for a user without privileges"))),
    Verb("features", "print what this runtime can do as JSON", "", 0),
    Verb("checkpoint", "save a running container by criu", flags=(
        *_CRIU,
        Flag("parent-path", TEXT, "earlier images to build on"),
        Flag("leave-running", help_text="do not end it"),
        Flag("pre-dump", help_text="save memory alone"),
        Flag("lazy-pages", help_text="serve memory on demand"),
        Flag("status-fd", NUMBER, "told when lazy pages can be asked for"),
        Flag("page-server", TEXT, "ADDRESS:PORT of who receives memory"),
        Flag("auto-dedup", help_text="drop memory the parent images have"),
        Flag("empty-ns", TEXTS, "namespace whose content is not saved"),
    )),
    Verb("restore", "bring a saved container back by criu", flags=(
        *_MAKING, *_CRIU, _DETACH, _NO_SUBREAPER,
        Flag("lazy-pages", help_text="fetch memory on demand"),
        Flag("auto-dedup", help_text="free images once they are in memory"),
        Flag("empty-ns", TEXTS, "namespace whose content is not brought back"),
        Flag("lsm-profile", TEXT, "TYPE:NAME of a security profile"),
        Flag("lsm-mount-context", TEXT, "security label of mounts"),
    ), sealed=True),
    Verb("explain", "print a bundle's plan as shell commands", "[BUNDLE]", 0, (_BUNDLE,),
         most=1),
)  # fmt: skip


def find_verb(name: str) -> Verb | None:
    """Return the verb ``name``."""
    return next((verb for verb in VERBS if verb.name == name), None)
