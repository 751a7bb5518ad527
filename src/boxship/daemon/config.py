"""The daemon's configuration: flags over file over defaults, checked, frozen.

An option given both as a flag and in the file is an error, as in dockerd: nobody could tell which
of the two was meant.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boxship.base.errors import InvalidArgumentError
from boxship.base.moments import parse_duration
from boxship.daemon.buildcache import build_cache_settings
from boxship.daemon.networks import network_settings
from boxship.daemon.options import (
    BY_FLAG,
    BY_KEY,
    DEFAULT_CONFIG_FILE,
    DEFAULT_HOST,
    OPTIONS,
    Option,
    Value,
)
from boxship.daemon.registries import registry_settings, transfer_limits
from boxship.daemon.runtimes import check_default, read_runtimes
from boxship.daemon.values import from_json, parse_arguments
from boxship.engine.containers.logdrivers.names import KNOWN
from boxship.engine.settings import RuntimeProgram
from boxship.model.container import Ulimit

_LEVELS = frozenset({"trace", "debug", "info", "warn", "error", "fatal", "panic"})
_CHOICES = {
    "log-level": _LEVELS,
    "log-format": frozenset({"text", "json"}),
    "default-cgroupns-mode": frozenset({"", "host", "private"}),
    "default-ipc-mode": frozenset({"private", "shareable"}),
    "storage-driver": frozenset({"", "overlay2", "overlay", "overlayfs", "vfs"}),
    "log-driver": KNOWN,
}


@dataclass(frozen=True)
class TlsConfig:
    """Files of the server's TLS. With ``verify`` clients need a certificate of that CA."""

    certificate: str
    key: str
    ca: str
    verify: bool


@dataclass(frozen=True)
class DaemonConfig:
    """What ``boxshipd`` was told, option by option; see ``options.py`` for their meaning."""

    values: Mapping[str, Value]
    without_effect: tuple[str, ...] = ()
    """Options that were given and do nothing here."""

    def text(self, name: str) -> str:
        value = self.values[name]
        return value if isinstance(value, str) else ""

    def flag(self, name: str) -> bool:
        return self.values[name] is True

    def number(self, name: str) -> int:
        value = self.values[name]
        return value if isinstance(value, int) else 0

    def words(self, name: str) -> tuple[str, ...]:
        value = self.values[name]
        return value if isinstance(value, tuple) else ()

    def mapping(self, name: str) -> dict[str, Any]:
        value = self.values[name]
        return dict(value) if isinstance(value, dict) else {}

    @property
    def hosts(self) -> tuple[str, ...]:
        return self.words("hosts") or (DEFAULT_HOST,)

    @property
    def log_level(self) -> str:
        return "debug" if self.flag("debug") else self.text("log-level")

    @property
    def tls(self) -> TlsConfig | None:
        if not (self.flag("tls") or self.flag("tlsverify")):
            return None
        directory = os.environ.get("DOCKER_CERT_PATH") or os.path.expanduser("~/.docker")
        return TlsConfig(
            certificate=self.text("tlscert") or f"{directory}/cert.pem",
            key=self.text("tlskey") or f"{directory}/key.pem",
            ca=self.text("tlscacert") or f"{directory}/ca.pem",
            verify=self.flag("tlsverify"),
        )

    @property
    def cgroup_driver(self) -> str:
        """``cgroupfs`` or ``systemd``; the last option that says it counts."""
        driver = "cgroupfs"
        for option in self.words("exec-opts"):
            name, _, value = option.partition("=")
            if name.lower() == "native.cgroupdriver":
                driver = value
        return driver

    @property
    def cdi_spec_dirs(self) -> tuple[str, ...]:
        """Where devices are described; nowhere if the feature is off or the one directory is ""."""
        if not self.feature("cdi", default=True):
            return ()
        return tuple(filter(None, self.words("cdi-spec-dirs")))

    def feature(self, name: str, *, default: bool) -> bool:
        """Tell whether a feature is on; InvalidArgumentError: it is neither on nor off."""
        value = self.mapping("features").get(name, default)
        word = str(value).lower()
        if word not in ("true", "false", "1", "0"):
            raise InvalidArgumentError(f"invalid feature {name}={value}: it must be true or false")
        return word in ("true", "1")

    @property
    def default_ulimits(self) -> tuple[Ulimit, ...]:
        return tuple(_ulimit(name, v) for name, v in self.mapping("default-ulimits").items())

    @property
    def trash_retention_ns(self) -> int:
        """How long what is removed is kept; 0: not at all. InvalidArgumentError: no such time."""
        text = self.text("trash-retention")
        try:
            retention_ns = parse_duration(text or "0")
        except ValueError:
            retention_ns = -1
        if retention_ns < 0:
            raise InvalidArgumentError(f"invalid trash-retention: {text} (a time like 24h, or 0)")
        return retention_ns

    @property
    def runtimes(self) -> dict[str, RuntimeProgram]:
        return read_runtimes(self.mapping("runtimes"))


def load_config(arguments: list[str]) -> DaemonConfig:
    """Read the command line and the file it names. InvalidArgumentError says what is wrong."""
    flags = parse_arguments(arguments)
    config_file = flags.get(BY_FLAG["config-file"])
    path = config_file if isinstance(config_file, str) else DEFAULT_CONFIG_FILE
    try:
        return merge(flags, read_file(path, must_exist=config_file is not None))
    except InvalidArgumentError as error:
        message = f"unable to configure the daemon with file {path}: {error}"
        raise InvalidArgumentError(message) from error


def read_file(path: str, *, must_exist: bool) -> dict[str, Any]:
    """Read a configuration file; an empty one is like ``{}``."""
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except FileNotFoundError as error:
        if not must_exist:
            return {}
        raise InvalidArgumentError(f"open {path}: no such file or directory") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(str(error)) from error
    if not text.strip():
        return {}
    try:
        decoded = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidArgumentError(f"invalid JSON: {error}") from error
    if not isinstance(decoded, dict):
        raise InvalidArgumentError("invalid JSON: an object is needed")
    return decoded


def merge(flags: dict[Option, Value], file: dict[str, Any]) -> DaemonConfig:
    """Put flags, file and defaults together, and check the result."""
    unknown = sorted(key for key in file if key not in BY_KEY)
    if unknown:
        raise InvalidArgumentError(
            "the following directives don't match any configuration option: " + ", ".join(unknown)
        )
    from_file = {BY_KEY[key]: from_json(BY_KEY[key], value) for key, value in file.items()}
    both = [option for option in flags if option in from_file]
    if both:
        told = ", ".join(
            f"{o.key}: (from flag: {_shown(flags[o])}, from file: {_shown(from_file[o])})"
            for o in both
        )
        raise InvalidArgumentError(
            "the following directives are specified both as a flag and in the configuration "
            f"file: {told}"
        )
    given = {**from_file, **flags}
    values = {option.name: given.get(option, option.default) for option in OPTIONS}
    idle = tuple(sorted(option.name for option in given if not option.effect))
    config = DaemonConfig(values, idle)
    _check(config)
    return config


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{' '.join(value)}]" if isinstance(value, tuple) else str(value)


def _check(config: DaemonConfig) -> None:
    for name, allowed in _CHOICES.items():
        if config.text(name) not in allowed:
            choices = ", ".join(sorted(filter(None, allowed)))
            raise InvalidArgumentError(f"invalid {name}: {config.text(name)} (one of {choices})")
    for label in config.words("labels"):
        if "=" not in label:
            raise InvalidArgumentError(f"bad attribute format: {label} (a label is key=value)")
    if config.number("shutdown-timeout") < -1:
        raise InvalidArgumentError("invalid shutdown-timeout: it must be -1 (for ever) or more")
    _check_cgroups(config)
    _check_seccomp(config.text("seccomp-profile"))
    for name in config.mapping("features"):
        config.feature(name, default=False)
    _ = config.default_ulimits, registry_settings(config), transfer_limits(config)
    _ = network_settings(config), config.trash_retention_ns, build_cache_settings(config)
    check_default(config.text("default-runtime"), config.runtimes)


def _check_cgroups(config: DaemonConfig) -> None:
    driver, parent = config.cgroup_driver, config.text("cgroup-parent")
    if driver not in ("cgroupfs", "systemd"):
        raise InvalidArgumentError(f"native.cgroupdriver option {driver} not supported")
    if driver == "systemd" and parent and not re.fullmatch(r".+\.slice", parent):
        raise InvalidArgumentError(
            'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"'
        )


def _check_seccomp(path: str) -> None:
    if path in ("", "builtin", "unconfined"):
        return
    try:
        with open(path, "rb") as file:
            json.load(file)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InvalidArgumentError(
            f"opening seccomp profile ({path}) failed: open {path}: {reason}"
        ) from error
    except ValueError as error:
        raise InvalidArgumentError(f"seccomp profile ({path}): invalid JSON: {error}") from error


def _ulimit(name: str, value: object) -> Ulimit:
    """Read ``soft[:hard]``, or the object of the configuration file."""
    if isinstance(value, dict):
        value = f"{value.get('Soft', value.get('soft'))}:{value.get('Hard', value.get('hard'))}"
    soft, _, hard = str(value).partition(":")
    try:
        return Ulimit(name, hard=int(hard or soft), soft=int(soft))
    except ValueError as error:
        raise InvalidArgumentError(f"invalid default-ulimit {name}={value}") from error


def changed(before: DaemonConfig, after: DaemonConfig) -> dict[str, Value]:
    """Return the options that a reload can change and that differ."""
    names = [option.name for option in OPTIONS if option.reload]
    return {n: after.values[n] for n in names if before.values[n] != after.values[n]}


def unchanged(before: DaemonConfig, after: DaemonConfig) -> list[str]:
    """Return the options that differ and that only a restart can change."""
    fixed = [option.name for option in OPTIONS if not option.reload]
    return [name for name in fixed if before.values[name] != after.values[name]]
