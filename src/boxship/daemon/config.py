"""The daemon's configuration: flags over environment over file over defaults, checked, frozen.

An option given both as a flag and in the file is an error, as in dockerd: nobody could tell which
of the two was meant.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from boxship.base.errors import InvalidArgumentError
from boxship.base.moments import parse_duration
from boxship.daemon.buildcache import build_cache_settings
from boxship.daemon.configfile import NO_FILE, FileSettings, read_file
from boxship.daemon.environment import read_environment, unknown_variables, wants_verified_clients
from boxship.daemon.idleoptions import FEATURES, IDLE_FEATURES
from boxship.daemon.jsontext import shown
from boxship.daemon.networks import network_settings
from boxship.daemon.option import Option, SettingError, Value
from boxship.daemon.options import BY_FLAG, BY_KEY, DEFAULT_CONFIG_FILE, DEFAULT_HOST, OPTIONS
from boxship.daemon.registries import registry_settings, transfer_limits, without_secrets
from boxship.daemon.runtimes import check_default, read_runtimes
from boxship.daemon.storageoptions import container_size
from boxship.daemon.ulimits import read_ulimits
from boxship.daemon.values import parse_arguments
from boxship.engine.containers.checks.options import check_log
from boxship.engine.settings import RuntimeProgram
from boxship.model.container import LogConfig, Ulimit

_SECCOMP = ("seccomp-profile",)
_CGROUP_DRIVER = "native.cgroupdriver"
_NOTHING: Mapping[Option, Value] = MappingProxyType({})


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
    without_effect: Mapping[str, str] = field(default_factory=dict)
    """Options that were given and do nothing here, with the reasons."""
    unknown_variables: tuple[str, ...] = ()
    """Of the environment: they look like ours, and set nothing."""

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
        return self._tls if self.flag("tls") or self.flag("tlsverify") else None

    @property
    def token_tls(self) -> TlsConfig | None:
        """The same for ``token-hosts``, where a token takes the place of a client's certificate."""
        return replace(self._tls, verify=False) if self.words("token-hosts") else None

    @property
    def _tls(self) -> TlsConfig:
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
            if name.lower() == _CGROUP_DRIVER:
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
            given = value if isinstance(value, str) else shown(value)
            told = f"invalid feature {name}={given}: it must be true or false"
            raise SettingError(("features", name), told)
        return word in ("true", "1")

    @property
    def default_ulimits(self) -> tuple[Ulimit, ...]:
        return read_ulimits(self.mapping("default-ulimits"))

    @property
    def trash_retention_ns(self) -> int:
        """How long what is removed is kept; 0: not at all. InvalidArgumentError: no such time."""
        text = self.text("trash-retention")
        try:
            retention_ns = parse_duration(text or "0")
        except ValueError:
            retention_ns = -1
        if retention_ns < 0:
            told = f"invalid trash-retention: {text} (a time like 24h, or 0)"
            raise SettingError(("trash-retention",), told)
        return retention_ns

    @property
    def runtimes(self) -> dict[str, RuntimeProgram]:
        return read_runtimes(self.mapping("runtimes"))


def load_config(arguments: list[str], environment: Mapping[str, str] = os.environ) -> DaemonConfig:
    """Read the command line, the environment and the file. InvalidArgumentError: what is wrong."""
    flags = parse_arguments(arguments)
    around = read_environment(environment)
    option = BY_FLAG["config-file"]
    named = flags.get(option, around.get(option))
    path = named if isinstance(named, str) else DEFAULT_CONFIG_FILE
    try:
        file = read_file(path, must_exist=named is not None)
        config = merge(flags, around, file)
        option = BY_KEY["tlsverify"]
        is_told = option in {**file.values, **around, **flags}
        if not is_told and wants_verified_clients(environment, config.hosts):
            config = replace(config, values={**config.values, option.name: True})
        return replace(config, unknown_variables=unknown_variables(environment))
    except InvalidArgumentError as error:
        message = f"unable to configure the daemon with file {path}: {error}"
        raise InvalidArgumentError(message) from error


def merge(
    flags: Mapping[Option, Value],
    around: Mapping[Option, Value] = _NOTHING,
    file: FileSettings = NO_FILE,
) -> DaemonConfig:
    """Put flags over the environment over the file over defaults, and check the result."""
    _refuse_conflicts(flags, file)
    runtimes = BY_KEY["runtimes"]
    given = {**file.values, **around, **flags}
    if runtimes in flags and runtimes in file.values:  # as in dockerd, these add up
        given[runtimes] = _both(file.values[runtimes], flags[runtimes])
    values = {option.name: given.get(option, option.default) for option in OPTIONS}
    config = DaemonConfig(values, _idle(given))
    try:
        for option, value in given.items():
            _check_value(option, value, None if option in {**around, **flags} else file)
        _check(config)
    except SettingError as error:
        place = None if BY_KEY[str(error.path[0])] in around else file.place(error.path)
        if place is None:
            raise
        raise InvalidArgumentError(f"{place}: {error}") from error
    return config


def _idle(given: Mapping[Option, Value]) -> dict[str, str]:
    idle = {option.name: option.idle for option in given if option.idle}
    features = given.get(BY_KEY["features"])
    for name in features if isinstance(features, dict) else ():
        if name not in FEATURES:
            idle[f"the feature {name}"] = IDLE_FEATURES.get(name, "there is no such feature")
    return idle


def _refuse_conflicts(flags: Mapping[Option, Value], file: FileSettings) -> None:
    both = [option for option in flags if option in file.values and option.key != "runtimes"]
    if not both:
        return
    told = ", ".join(
        f"{o.name}: (from flag: {_shown(flags[o])}, from file: {_shown(file.values[o])})"
        for o in both
    )
    raise InvalidArgumentError(
        "the following directives are specified both as a flag and in the configuration "
        f"file: {told}"
    )


def _both(from_file: Value, from_flags: Value) -> Value:
    first = from_file if isinstance(from_file, dict) else {}
    second = from_flags if isinstance(from_flags, dict) else {}
    if twice := sorted(first.keys() & second.keys()):
        raise InvalidArgumentError(
            f"runtimes: {', '.join(twice)}: both as a flag and in the configuration file"
        )
    return {**first, **second}


def _check_value(option: Option, value: Value, file: FileSettings | None) -> None:
    if option.check is None:
        return
    try:
        option.check(value)
    except ValueError as error:
        place = f"{file.places[option]}: " if file is not None else ""
        raise InvalidArgumentError(f"{place}invalid {option.name}: {error}") from error


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return without_secrets(value)
    return f"[{' '.join(value)}]" if isinstance(value, tuple) else shown(value)


def _check(config: DaemonConfig) -> None:
    _check_cgroups(config)
    _check_seccomp(config.text("seccomp-profile"))
    for name in config.mapping("features"):
        config.feature(name, default=False)
    _ = config.default_ulimits, registry_settings(config), transfer_limits(config)
    _ = network_settings(config), config.trash_retention_ns, build_cache_settings(config)
    _ = container_size(config)
    _check_init(config.text("init-path"))
    _check_log(config)
    check_default(config.text("default-runtime"), config.runtimes)


def _check_cgroups(config: DaemonConfig) -> None:
    for index, option in enumerate(config.words("exec-opts")):
        name, equals, driver = option.partition("=")
        if not equals or name.lower() != _CGROUP_DRIVER:
            told = f"invalid exec-opts: {option} (known is {_CGROUP_DRIVER}=cgroupfs or systemd)"
            raise SettingError(("exec-opts", index), told)
        if driver not in ("cgroupfs", "systemd"):
            told = f"{_CGROUP_DRIVER} option {driver} not supported"
            raise SettingError(("exec-opts", index), told)
    driver, parent = config.cgroup_driver, config.text("cgroup-parent")
    if driver == "systemd" and parent and not re.fullmatch(r".+\.slice", parent):
        raise SettingError(
            ("cgroup-parent",),
            'cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice"',
        )


def _check_log(config: DaemonConfig) -> None:
    options = config.mapping("log-opts")
    for name, value in options.items():
        if not isinstance(value, str):
            told = f"invalid log-opts: {name}: expected a text, got {shown(value)}"
            raise SettingError(("log-opts", name), told)
    try:
        check_log(LogConfig(type=config.text("log-driver"), config=options))
    except InvalidArgumentError as error:
        raise SettingError(("log-opts",), f"invalid log-opts: {error}") from error


def _check_init(path: str) -> None:
    if path and not (os.path.isabs(path) and os.access(path, os.X_OK)):
        raise SettingError(("init-path",), f"invalid init-path: {path} (no program has this path)")


def _check_seccomp(path: str) -> None:
    if path in ("", "builtin", "unconfined"):
        return
    try:
        with open(path, "rb") as file:
            json.load(file)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        told = f"opening seccomp profile ({path}) failed: open {path}: {reason}"
        raise SettingError(_SECCOMP, told) from error
    except ValueError as error:
        told = f"seccomp profile ({path}): invalid JSON: {error}"
        raise SettingError(_SECCOMP, told) from error


def changed(before: DaemonConfig, after: DaemonConfig) -> dict[str, Value]:
    """Return the options that a reload can change and that differ."""
    names = [option.name for option in OPTIONS if option.reload]
    return {n: after.values[n] for n in names if before.values[n] != after.values[n]}


def unchanged(before: DaemonConfig, after: DaemonConfig) -> list[str]:
    """Return the options that differ and that only a restart can change."""
    fixed = [option.name for option in OPTIONS if not option.reload]
    return [name for name in fixed if before.values[name] != after.values[name]]
