"""``RUN``: the program, what is mounted while it runs, and what it may do."""

import posixpath
from collections.abc import Callable

from boxship.dockerfile import mounts as asked
from boxship.dockerfile.errors import DockerfileError
from boxship.dockerfile.instructions import Run, Script
from boxship.engine.build.planning.configs import DEFAULT_PATH, environment, shell_of
from boxship.engine.build.planning.filesteps import Inputs
from boxship.engine.build.planning.stage import StageState
from boxship.engine.build.planning.wish import Wish
from boxship.engine.build.planning.words import command_of
from boxship.oci.digest import Digest
from boxship.solver.operations import (
    BindMount,
    CacheMount,
    Exec,
    Mount,
    SecretMount,
    SshMount,
    TmpfsMount,
)

_SCRIPTS = "/dev/pipes"
Origin = Callable[[str | None], Digest | None]


def planned_run(
    instruction: Run, stage: StageState, wish: Wish, origin: Origin
) -> tuple[Exec, tuple[Digest, ...]]:
    """Return what runs and its inputs; ``origin`` finds what mounts come from."""
    _check(instruction, wish)
    inputs = Inputs()
    root = inputs.position(stage.tree)
    config, command = stage.config, instruction.command
    args, script = command_of(command, shell_of(config)), ""
    if isinstance(command, Script) and command.is_program:
        args, script = (f"{_SCRIPTS}/{command.name}",), command.text
    if not args or not args[0]:
        raise DockerfileError("RUN needs a command", instruction.where)
    env = environment(config)
    visible = {**stage.scope.arguments}
    if "PATH" not in env:
        visible.setdefault("PATH", DEFAULT_PATH)
    env = {name: value for name, value in env.items() if name not in visible}
    operation = Exec(
        args=args,
        env=tuple(f"{name}={value}" for name, value in {**visible, **env}.items()),
        cwd=config.working_dir or "/",
        user=config.user,
        root=root,
        mounts=_mounts(instruction, stage, wish, inputs, origin),
        network=wish.network if instruction.network == "default" else instruction.network,
        security=instruction.security,
        hostname=wish.hostname,
        extra_hosts=wish.extra_hosts,
        devices=tuple(each.name for each in instruction.devices if each.required),
        optional_devices=tuple(each.name for each in instruction.devices if not each.required),
        script=script,
    )
    return operation, tuple(inputs.digests)


def _check(instruction: Run, wish: Wish) -> None:
    """Refuse what the client has not allowed."""
    wanted = {
        "security.insecure": instruction.security == "insecure",
        "network.host": instruction.network == "host" and not wish.classic,
        "device": bool(instruction.devices),
    }
    for name, needed in wanted.items():
        if needed and name not in wish.entitlements:
            raise DockerfileError(
                f"{name} is not allowed", instruction.where, hint=f"build with --allow {name}"
            )


def _mounts(
    instruction: Run, stage: StageState, wish: Wish, inputs: Inputs, origin: Origin
) -> tuple[Mount, ...]:
    found: list[Mount] = []
    agents = 0
    for mount in instruction.mounts:
        match mount:
            case asked.BindMount():
                where = inputs.position(origin(mount.origin))
                target = _target(mount.target, stage)
                found.append(BindMount(target, where, _absolute(mount.source), mount.writable))
            case asked.CacheMount():
                found.append(_cache(mount, stage, wish, inputs, origin))
            case asked.TmpfsMount():
                found.append(TmpfsMount(_target(mount.target, stage), mount.size))
            case asked.SecretMount():
                found.append(_secret(mount, stage))
            case asked.SshMount():
                found.append(_ssh(mount, stage, agents))
                agents += 1
    return tuple(found)


def _cache(
    mount: asked.CacheMount, stage: StageState, wish: Wish, inputs: Inputs, origin: Origin
) -> CacheMount:
    target, owner = _target(mount.target, stage), mount.owner
    namespace = wish.build_args.get("BUILDKIT_CACHE_MOUNT_NS") or ""
    identifier = mount.id or target
    return CacheMount(
        target=target,
        id=f"{namespace}/{identifier}" if namespace else identifier,
        sharing=mount.sharing.value,
        input=None if mount.origin is None else inputs.position(origin(mount.origin)),
        source=_absolute(mount.source),
        mode=0o755 if owner.mode is None else owner.mode,
        uid=owner.uid or 0,
        gid=owner.gid or 0,
        read_only=not mount.writable,
    )


def _secret(mount: asked.SecretMount, stage: StageState) -> SecretMount:
    return SecretMount(
        id=mount.id,
        target=_target(mount.target, stage) if mount.target else "",
        variable=mount.variable or "",
        required=mount.required,
        mode=0o400 if mount.owner.mode is None else mount.owner.mode,
        uid=mount.owner.uid or 0,
        gid=mount.owner.gid or 0,
    )


def _ssh(mount: asked.SshMount, stage: StageState, number: int) -> SshMount:
    return SshMount(
        id=mount.id,
        target=_target(mount.target or f"/run/buildkit/ssh_agent.{number}", stage),
        required=mount.required,
        mode=0o600 if mount.owner.mode is None else mount.owner.mode,
        uid=mount.owner.uid or 0,
        gid=mount.owner.gid or 0,
    )


def _target(path: str, stage: StageState) -> str:
    return posixpath.normpath(posixpath.join("/", stage.config.working_dir, path))


def _absolute(path: str) -> str:
    return "/" + posixpath.normpath("/" + path).lstrip("/")
