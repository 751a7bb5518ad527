"""The keys that leave a terminal without ending what runs in it: ``ctrl-p,ctrl-q``.

The text form is Docker's: comma-separated, each a single character or ``ctrl-`` with one of
``a`` … ``z @ [ \\ ] ^ _``. Daemon and client parse it; the shim and the client look for the bytes.
"""

from typing import Final

from boxship.base.errors import InvalidArgumentError

DEFAULT: Final = b"\x10\x11"

_CONTROL: Final = "@abcdefghijklmnopqrstuvwxyz[\\]^_"
"""The character at index n is typed with the control key to give byte n."""


def parse(text: str) -> bytes:
    """Turn ``ctrl-p,ctrl-q`` into what a terminal sends; InvalidArgumentError names the key."""
    return bytes(_parse_key(key, text) for key in text.split(","))


def _parse_key(key: str, text: str) -> int:
    if len(key) == 1 and key.isascii():
        return ord(key)
    character = key.removeprefix("ctrl-").lower()
    if key.startswith("ctrl-") and len(character) == 1 and character in _CONTROL:
        return _CONTROL.index(character)
    raise InvalidArgumentError(f"Invalid detach keys ({text}) provided: Unknown character: '{key}'")


class Scanner:
    """Finds the keys in what a client types, however its bytes are cut into pieces.

    Bytes that may be the beginning of the keys are held back until the next ones decide.
    """

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Return what to pass on, and whether the keys came; what follows them is dropped."""
        if not self._keys:
            return data, False
        data = self._held + data
        at = data.find(self._keys)
        if at >= 0:
            self._held = b""
            return data[:at], True
        for length in range(min(len(self._keys) - 1, len(data)), 0, -1):
            if data.endswith(self._keys[:length]):
                self._held = data[-length:]
                return data[:-length], False
        self._held = b""
        return data, False
