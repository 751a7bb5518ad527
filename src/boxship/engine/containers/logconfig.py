"""From a container's log options to what its shim is told, and to where its log is read."""

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from boxship.base.clock import format_ns
from boxship.base.units import parse_bytes, parse_decimal_bytes
from boxship.engine.containers.logdrivers import names
from boxship.engine.containers.logdrivers.subject import Subject
from boxship.engine.containers.logforms import JSON_LINES, Frames
from boxship.engine.containers.logreader import LogPlace
from boxship.engine.containers.paths import Paths
from boxship.engine.containers.record import ContainerRecord
from boxship.runtime.messages import LogConfig, LogFacts, LogTarget

Options = Mapping[str, str]

_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_COMMON: Final = frozenset({
    "mode", "max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file",
    "cache-compress", "labels", "labels-regex", "env", "env-regex", "tag",
})  # fmt: skip
_JSON: Final = frozenset({"", names.JSON_FILE})
_FRAMED: Final = "local"


class _Rotation(NamedTuple):
    """Defaults; sizes in bytes. Docker's own, but that it never rotates json-file by itself."""

    max_size: int
    max_file: int
    compress: bool


_JSON_FILE: Final = _Rotation(10_000_000, 3, compress=False)
_LOCAL: Final = _Rotation(20_000_000, 5, compress=True)
_ASYNCHRONOUS: Final = ("fluentd-async", "fluentd-async-connect")
_BUFFER: Final = 1 << 20


def shim_log_config(record: ContainerRecord, paths: Paths) -> LogConfig:
    """Return where and how much is logged. The options were checked at create."""
    log = record.host.log_config
    if log.type == names.NONE:
        return LogConfig(path="")
    options = log.config or {}
    files = paths.of(record.id)
    config = LogConfig(losses=files.log_losses)
    if log.type in _JSON:
        config = replace(config, path=record.log_path, attributes=_as_text(_attributes(record)))
        return _rotated(config, options, _JSON_FILE)
    if log.type == names.LOCAL:
        config = replace(config, path=files.local_log, form=_FRAMED)
        return _rotated(config, options, _LOCAL)
    config = replace(config, form=_FRAMED, target=_target(record, paths))
    if options.get("cache-disabled", "") in _TRUE:
        return config
    config = replace(config, path=files.cached_log)
    return _rotated(config, options, _LOCAL, "cache-")


def log_place(record: ContainerRecord, paths: Paths) -> LogPlace | None:
    """Return where a container's log can be read; None where it is not kept."""
    log = record.host.log_config
    if log.type in _JSON:
        return LogPlace(record.log_path, JSON_LINES)
    if log.type == names.NONE or (
        log.type != names.LOCAL and (log.config or {}).get("cache-disabled", "") in _TRUE
    ):
        return None
    files = paths.of(record.id)
    path = files.local_log if log.type == names.LOCAL else files.cached_log
    return LogPlace(path, Frames(_attributes(record) or None))


def subject_of(record: ContainerRecord) -> Subject:
    """Return what log drivers are told of a container."""
    return Subject(
        container_id=record.id,
        name=record.name,
        image_id=record.image_id,
        image_name=record.image_ref,
        command=(record.path, *record.args),
        created=format_ns(record.created_ns),
        labels=record.config.labels or {},
        env=record.config.env or (),
        log_path=record.log_path,
        hostname=socket.gethostname(),
        options=record.host.log_config.config or {},
    )


def _rotated(
    config: LogConfig, options: Options, default: _Rotation, prefix: str = ""
) -> LogConfig:
    size = options.get(f"{prefix}max-size")
    files = options.get(f"{prefix}max-file")
    compress = options.get(f"{prefix}compress")
    max_file = int(files) if files else default.max_file
    return replace(
        config,
        max_size=_size(size) if size else default.max_size,
        max_file=max_file,
        compress=(compress in _TRUE if compress else default.compress) and max_file > 1,
    )


def _size(text: str) -> int:
    return -1 if text == "-1" else parse_decimal_bytes(text)


def _target(record: ContainerRecord, paths: Paths) -> LogTarget:
    log = record.host.log_config
    options = log.config or {}
    buffer = options.get("max-buffer-size")
    blocking = options.get("mode", "") != "non-blocking"
    if any(options.get(name, "") in _TRUE for name in _ASYNCHRONOUS):  # an older word for it
        blocking, buffer = False, buffer or options.get("fluentd-buffer-limit")
    return LogTarget(
        driver=log.type,
        options={name: value for name, value in options.items() if name not in _COMMON},
        facts=_facts(record),
        blocking=blocking,
        buffer_size=parse_bytes(buffer) if buffer else _BUFFER,
        environment=_environment(log.type),
        directory=paths.log_pipes,
    )


def _environment(driver: str) -> dict[str, str]:
    """Return the daemon's variables that a driver looks at: its shim has none of them."""
    wanted = names.ENVIRONMENT.get(driver, ())
    return {name: os.environ[name] for name in wanted if name in os.environ}


def _facts(record: ContainerRecord) -> LogFacts:
    from boxship.engine.containers.logdrivers import table, tags
    from boxship.engine.containers.logdrivers.attributes import attributes
    from boxship.engine.containers.logdrivers.subject import DAEMON

    subject = subject_of(record)
    row = table.DRIVERS.get(record.host.log_config.type)
    template = subject.options.get("tag", "")
    if row is not None and not template and not ("tag" in subject.options and row.untagged):
        template = row.tag
    return LogFacts(
        container_id=record.id,
        container_name=record.name,
        image_id=record.image_id,
        image_name=record.image_ref,
        command=" ".join(subject.command),
        created_ns=record.created_ns,
        daemon_name=DAEMON,
        attributes=attributes(subject),
        tag=tags.tag(template, subject) if template else "",
    )


def _attributes(record: ContainerRecord) -> dict[str, str]:
    """Return what ``details`` shows: chosen labels and variables, and the tag."""
    if not record.host.log_config.config:
        return {}
    from boxship.engine.containers.logdrivers import tags
    from boxship.engine.containers.logdrivers.attributes import attributes

    subject = subject_of(record)
    found = attributes(subject)
    if template := subject.options.get("tag", ""):
        found["tag"] = tags.tag(template, subject)
    return found


def _as_text(attributes: dict[str, str]) -> str:
    return json.dumps(attributes) if attributes else ""
