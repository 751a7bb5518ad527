"""What a spec's fields demand of each other and of the machine. Pure; errors name the field."""

from boxship.base.errors import InvalidArgumentError
from boxship.oci import runtime as oci
from boxship.runtime.host import Host

_IPC_SYSCTLS = frozenset(
    f"kernel.{name}"
    for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni",
                 "shm_rmid_forced", "auto_msgmni", "msg_next_id", "sem_next_id", "shm_next_id")
)  # fmt: skip

_MOST_OF_A_NAME = 64
"""The kernel has no room for more in a UTS namespace."""


def check(spec: oci.Spec, host: Host) -> None:
    """Raise InvalidArgumentError for the first thing that cannot be."""
    _check_version(spec.oci_version)
    kinds = _kinds(spec.linux.namespaces)
    if kinds.get("mount") != "":
        raise InvalidArgumentError("linux.namespaces: a new mount namespace is needed")
    _check_user_namespace(spec.linux, kinds)
    _check_names(spec, kinds)
    if spec.linux.time_offsets is not None and kinds.get("time") != "":
        raise InvalidArgumentError("linux.timeOffsets: a new time namespace is needed")
    for key in spec.linux.sysctl:
        _check_sysctl(key, kinds)
    _check_net_devices(spec.linux, kinds)
    _check_mounts(spec.mounts)
    _check_paths(spec)
    if spec.linux.mount_label:
        _check_module("linux.mountLabel", "selinux", host)
    if spec.linux.intel_rdt is not None and not host.resctrl:
        raise InvalidArgumentError("linux.intelRdt: this machine has no resctrl mounted")


def check_process(process: oci.Process, host: Host) -> None:
    """Raise InvalidArgumentError for the first thing that cannot be."""
    if process.command_line:
        raise InvalidArgumentError("process.commandLine: is for Windows; use process.args")
    if not process.args:
        raise InvalidArgumentError("process.args: no command specified")
    if not process.cwd.startswith("/"):
        raise InvalidArgumentError(f"process.cwd: {process.cwd!r} is not an absolute path")
    for n, item in enumerate(process.env):
        if item.find("=") < 1:
            raise InvalidArgumentError(f"process.env[{n}]: {item!r} is not NAME=VALUE")
    seen: set[str] = set()
    for n, limit in enumerate(process.rlimits):
        if limit.type in seen:
            raise InvalidArgumentError(f"process.rlimits[{n}].type: {limit.type} is there twice")
        if limit.soft > limit.hard:
            raise InvalidArgumentError(f"process.rlimits[{n}].soft: is above the hard limit")
        seen.add(limit.type)
    if process.apparmor_profile:
        _check_module("process.apparmorProfile", "apparmor", host)
    if process.selinux_label:
        _check_module("process.selinuxLabel", "selinux", host)
    if process.apparmor_profile and process.selinux_label:
        raise InvalidArgumentError("process.selinuxLabel: not together with apparmorProfile")
    if not host.root and process.user.additional_gids:
        raise InvalidArgumentError(
            "process.user.additionalGids: cannot be set without being root on the host"
        )


def _check_version(version: str) -> None:
    if version.partition(".")[0] != "1":
        raise InvalidArgumentError(f"ociVersion: {version!r} is not a version 1")


def _kinds(namespaces: tuple[oci.Namespace, ...]) -> dict[str, str]:
    kinds: dict[str, str] = {}
    for n, namespace in enumerate(namespaces):
        if namespace.type in kinds:
            raise InvalidArgumentError(
                f"linux.namespaces[{n}].type: {namespace.type} is there twice"
            )
        if namespace.path and not namespace.path.startswith("/"):
            raise InvalidArgumentError(f"linux.namespaces[{n}].path: is not an absolute path")
        kinds[namespace.type] = namespace.path
    return kinds


def _check_user_namespace(linux: oci.Linux, kinds: dict[str, str]) -> None:
    for field, mappings in (
        ("uidMappings", linux.uid_mappings),
        ("gidMappings", linux.gid_mappings),
    ):
        if mappings and "user" not in kinds:
            raise InvalidArgumentError(f"linux.{field}: a user namespace is needed")
        if not mappings and kinds.get("user") == "":
            raise InvalidArgumentError(f"linux.{field}: missing, and the user namespace is new")


def _check_names(spec: oci.Spec, kinds: dict[str, str]) -> None:
    for field, value in (("hostname", spec.hostname), ("domainname", spec.domainname)):
        if value and "uts" not in kinds:
            raise InvalidArgumentError(f"{field}: a UTS namespace is needed")
        if len(value.encode("utf-8", "surrogateescape")) > _MOST_OF_A_NAME:
            raise InvalidArgumentError(f"{field}: is longer than {_MOST_OF_A_NAME} bytes")


def _check_sysctl(key: str, kinds: dict[str, str]) -> None:
    name = key.replace("/", ".")
    field = f"linux.sysctl.{key}"
    if ".." in name or name.startswith("."):
        raise InvalidArgumentError(f"{field}: is not a sysctl")
    if name in _IPC_SYSCTLS or name.startswith("fs.mqueue."):
        needed = "ipc"
    elif name.startswith("net."):
        needed = "network"
    elif name in ("kernel.domainname", "kernel.hostname"):
        needed = "uts"
    elif name.startswith("user."):
        needed = "user"
    else:
        raise InvalidArgumentError(f"{field}: is not in a separate kernel namespace")
    if needed not in kinds:
        raise InvalidArgumentError(f"{field}: is the host's without a namespace of type {needed}")


def _check_net_devices(linux: oci.Linux, kinds: dict[str, str]) -> None:
    names: set[str] = set()
    for name, device in linux.net_devices.items():
        field = f"linux.netDevices.{name}"
        if "network" not in kinds:
            raise InvalidArgumentError(f"{field}: a network namespace is needed")
        if kinds.get("user") == "" and not kinds["network"]:
            raise InvalidArgumentError(
                f"{field}: cannot be given to a new network namespace of a new user namespace"
            )
        for text in (name, device.name or name):
            if not 0 < len(text) < 16 or "/" in text or " " in text or text in (".", ".."):
                raise InvalidArgumentError(f"{field}: {text!r} is not an interface's name")
        if (device.name or name) in names:
            raise InvalidArgumentError(f"{field}.name: is there twice")
        names.add(device.name or name)


def _check_mounts(mounts: tuple[oci.Mount, ...]) -> None:
    for n, mount in enumerate(mounts):
        bind = mount.type == "bind" or "bind" in mount.options or "rbind" in mount.options
        if (mount.uid_mappings or mount.gid_mappings) and not bind:
            raise InvalidArgumentError(f"mounts[{n}].uidMappings: are for bind mounts")
        if bool(mount.uid_mappings) != bool(mount.gid_mappings):
            missing = "gidMappings" if mount.uid_mappings else "uidMappings"
            raise InvalidArgumentError(f"mounts[{n}].{missing}: missing beside the other one")
        if "remount" in mount.options:
            raise InvalidArgumentError(
                f"mounts[{n}].options: remount: give the mount its options at once"
            )
        if {"idmap", "ridmap"} & set(mount.options) and not bind:
            raise InvalidArgumentError(f"mounts[{n}].options: idmap is for bind mounts")


def _check_paths(spec: oci.Spec) -> None:
    for field, paths in (
        ("linux.maskedPaths", spec.linux.masked_paths),
        ("linux.readonlyPaths", spec.linux.readonly_paths),
        *((f"hooks.{kind}", tuple(h.path for h in hooks)) for kind, hooks in _hooks(spec.hooks)),
    ):
        for n, path in enumerate(paths):
            if not path.startswith("/"):
                raise InvalidArgumentError(f"{field}[{n}]: {path!r} is not an absolute path")


def _hooks(hooks: oci.Hooks) -> tuple[tuple[str, tuple[oci.Hook, ...]], ...]:
    return (
        ("prestart", hooks.prestart),
        ("createRuntime", hooks.create_runtime),
        ("createContainer", hooks.create_container),
        ("startContainer", hooks.start_container),
        ("poststart", hooks.poststart),
        ("poststop", hooks.poststop),
    )


def _check_module(field: str, module: str, host: Host) -> None:
    if module not in host.security_modules:
        name = {"apparmor": "AppArmor", "selinux": "SELinux"}[module]
        raise InvalidArgumentError(f"{field}: this machine has no {name}")
