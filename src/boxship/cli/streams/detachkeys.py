"""The keys that leave a container running: ``ctrl-p,ctrl-q`` unless said otherwise."""

from boxship.base.errors import InvalidArgumentError

DEFAULT = "ctrl-p,ctrl-q"

_SPECIAL = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}


def parse_keys(text: str) -> bytes:
    """``ctrl-a,b`` as the bytes that a terminal in raw mode sends for them."""
    return bytes(_key(name) for name in text.split(","))


def _key(name: str) -> int:
    if len(name) == 1 and name.isascii():
        return ord(name)
    if name.startswith("ctrl-") and len(name) == 6:
        letter = name[5].lower()
        if "a" <= letter <= "z":
            return ord(letter) - ord("a") + 1
        if letter in _SPECIAL:
            return _SPECIAL[letter]
    raise InvalidArgumentError(f"invalid detach keys: unknown key '{name}'")


class DetachFilter:
    """Watches typed bytes for the sequence.

    A prefix of the sequence is held back, for it must not reach the container if the rest follows;
    when something else follows, it is passed on first.
    """

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._matched = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What to pass on, and whether the sequence is complete (what follows it is dropped)."""
        passed = bytearray()
        for byte in data:
            if byte == self._keys[self._matched]:
                self._matched += 1
                if self._matched == len(self._keys):
                    return bytes(passed), True
                continue
            passed += self._keys[: self._matched]
            self._matched = int(byte == self._keys[0])
            if not self._matched:
                passed.append(byte)
        return bytes(passed), False
