"""From a container's log options to what its shim is told."""

import json
import socket

from boxship.base.clock import format_ns
from boxship.base.units import parse_bytes
from boxship.engine.containers.logdrivers.subject import Subject
from boxship.engine.containers.record import ContainerRecord
from boxship.runtime.messages import LogConfig

DEFAULT_MAX_SIZE = 10_000_000
DEFAULT_MAX_FILE = 3


def shim_log_config(record: ContainerRecord) -> LogConfig:
    """Return where and how much is logged. The options were checked at create."""
    log = record.host.log_config
    if log.type == "none":
        return LogConfig(path="")
    options = log.config or {}
    size = options.get("max-size")
    return LogConfig(
        path=record.log_path,
        max_size=DEFAULT_MAX_SIZE if size is None else -1 if size == "-1" else parse_bytes(size),
        max_file=int(options.get("max-file", DEFAULT_MAX_FILE)),
        attributes=_attributes(record),
    )


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


def _attributes(record: ContainerRecord) -> str:
    """Return what goes into every entry as ``attrs``: chosen labels and variables, and the tag."""
    if not record.host.log_config.config:
        return ""
    from boxship.engine.containers.logdrivers import attributes, tags

    subject = subject_of(record)
    found = attributes.attributes(subject)
    if template := subject.options.get("tag", ""):
        found["tag"] = tags.tag(template, subject)
    return json.dumps(found) if found else ""
