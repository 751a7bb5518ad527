"""What an attaching client takes part in, as the shim is told."""

from boxship.base import detachkeys
from boxship.runtime.messages import Attachment


def parse_detach_keys(text: str | None) -> bytes:
    """Return the bytes of ``ctrl-p,ctrl-q``; None or empty means the default."""
    return detachkeys.parse(text) if text else detachkeys.DEFAULT


def attachment(
    *,
    stdin: bool,
    stdout: bool,
    stderr: bool,
    tty: bool,
    detach_keys: str | None,
    prefix: bytes = b"",
) -> Attachment:
    """Describe a client. InvalidArgumentError: bad detach keys."""
    return Attachment(
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        framed=not tty,
        detach_keys=parse_detach_keys(detach_keys),
        prefix=prefix,
    )
