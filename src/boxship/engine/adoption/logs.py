"""Put logs that have come into the form and the place in which the container goes on with them."""

import os
import stat

from boxship.base.clock import parse_rfc3339
from boxship.engine.containers.logforms import JSON_LINES, decode
from boxship.engine.containers.logreader import LogPlace
from boxship.runtime.logs import frames
from boxship.runtime.logs.lines import Piece

_MODE = 0o640
_STREAMS = {"stdout": 1, "stderr": 2}
_BATCH = 1 << 20


def put_logs(directory: str, place: LogPlace | None) -> None:
    """Move or rewrite the files of ``directory``, named by their age. OSError.

    None: of that container no log is kept here.
    """
    if place is None or not os.path.isdir(directory):
        return
    for name in os.listdir(directory):
        source = os.path.join(directory, name)
        if not (name.isascii() and name.isdigit() and stat.S_ISREG(os.lstat(source).st_mode)):
            continue
        target = f"{place.path}.{name}" if int(name) else place.path
        if place.form is JSON_LINES:
            os.rename(source, target)
        else:
            _rewrite(source, target)
        os.chmod(target, _MODE)


def _rewrite(source: str, target: str) -> None:
    """Write entries as frames; those that cannot be read are left out."""
    with open(source, "rb") as lines, open(target, "xb") as framed:
        while batch := lines.readlines(_BATCH):
            for line in decode(b"".join(batch)):
                stream = _STREAMS.get(line.stream)
                if stream is not None:
                    piece = Piece(line.log.encode(), more=not line.log.endswith("\n"))
                    framed.write(frames.encode(stream, parse_rfc3339(line.time), piece))
