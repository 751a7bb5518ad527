"""Short DATA frames of one stream as few long ones, before anybody looks at each.

Go's gRPC sends a frame per message: a context of ten thousand files comes in ten thousand frames of
eighty bytes, and h2 takes longer for a frame than for what is in it. Frames that follow each other
on a stream mean the same as one that has all their bytes (RFC 9113, section 6.1), in messages as in
flow control. Those with a flag, which ends the stream or tells of padding, stay as they are, and so
does what is longer than allowed: it is h2's to complain about.
"""

_HEADER = 9
_LONGEST = 16384
"""SETTINGS_MAX_FRAME_SIZE, of which we tell nobody another."""
_PLAIN_DATA = b"\0\0"
"""Type DATA, no flags."""
_PREFACE = 24


class Joiner:
    """Takes a connection's bytes as they come, and gives them back with fewer frames."""

    __slots__ = ("_held", "_rest")

    def __init__(self, *, client: bool) -> None:
        self._held = b""
        """The beginning of a frame, of which the rest has to come first."""
        self._rest = 0 if client else _PREFACE
        """How many bytes follow of what is handed on as it comes."""

    def feed(self, data: bytes) -> bytes:
        """Return all that is whole by now."""
        data = self._held + data if self._held else data
        at, end = min(self._rest, len(data)), len(data)
        self._rest -= at
        pieces, run = [data[:at]], _Run()
        while end - at >= _HEADER:
            length = int.from_bytes(data[at : at + 3], "big")
            after = at + _HEADER + length
            if data[at + 3 : at + 5] != _PLAIN_DATA or length > _LONGEST:
                pieces += run.end()
                pieces.append(data[at:after])
                self._rest = max(0, after - end)
            elif after > end:
                break
            else:
                stream = data[at + 5 : at + _HEADER]
                if stream != run.stream or run.size + length > _LONGEST:
                    pieces += run.end()
                    run.stream = stream
                run.parts.append(data[at + _HEADER : after])
                run.size += length
            at = min(after, end)
        self._held = data[at:]
        return b"".join([*pieces, *run.end()])


class _Run:
    """Contents of frames that follow each other on one stream."""

    __slots__ = ("parts", "size", "stream")

    def __init__(self) -> None:
        self.stream = b""
        self.parts: list[bytes] = []
        self.size = 0

    def end(self) -> list[bytes]:
        """Return them as one frame, if there are any, and begin anew."""
        if not self.parts:
            return []
        frame = [self.size.to_bytes(3, "big") + _PLAIN_DATA + self.stream, *self.parts]
        self.stream, self.parts, self.size = b"", [], 0
        return frame
