"""From a container's log options to what its shim is told."""

import json
import re
from collections.abc import Mapping

from boxship.base.ids import short_id
from boxship.base.units import parse_bytes
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
        attributes=_attributes(record, options),
    )


def _attributes(record: ContainerRecord, options: Mapping[str, str]) -> str:
    """Return what goes into every entry as ``attrs``: chosen labels and variables, and the tag."""
    found: dict[str, str] = {}
    labels = record.config.labels or {}
    variables = {
        name: value for name, _, value in (v.partition("=") for v in record.config.env or ())
    }
    for source, names, pattern in (
        (labels, options.get("labels", ""), options.get("labels-regex", "")),
        (variables, options.get("env", ""), options.get("env-regex", "")),
    ):
        chosen = set(names.split(",")) & source.keys()
        if pattern:
            chosen |= {name for name in source if re.search(pattern, name)}
        found |= {name: source[name] for name in sorted(chosen)}
    if tag := options.get("tag", ""):
        found["tag"] = _tag(tag, record)
    return json.dumps(found) if found else ""


def _tag(template: str, record: ContainerRecord) -> str:
    """Fill in the fields of a log tag; anything else stays as it is."""
    fields = {
        "ID": short_id(record.id),
        "FullID": record.id,
        "Name": record.name,
        "ImageID": short_id(record.image_id),
        "ImageFullID": record.image_id,
        "ImageName": record.image_ref,
        "DaemonName": "boxship",
    }
    return re.sub(r"\{\{\s*\.(\w+)\s*\}\}", lambda match: fields.get(match[1], match[0]), template)
