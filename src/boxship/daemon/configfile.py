"""Reading ``daemon.json``: options, their values, and where in the file each stands."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from boxship.base.errors import InvalidArgumentError
from boxship.daemon.jsontext import Document, JsonTextError, Path, Place, decode, read
from boxship.daemon.option import Option, Value
from boxship.daemon.options import BY_FLAG, BY_KEY
from boxship.daemon.values import from_json

_PROXIES = "proxies"
_PROXY_KEYS = ("http-proxy", "https-proxy", "no-proxy")
_MOST = 1 << 20
"""Bytes. A file that is larger isn't a configuration."""


@dataclass(frozen=True, slots=True)
class FileSettings:
    """What a file sets; ``places`` says where."""

    values: Mapping[Option, Value] = field(default_factory=dict)
    places: Mapping[Option, Place] = field(default_factory=dict)
    inner: Mapping[Path, Place] = field(default_factory=dict)
    """Of everything in the file, as :class:`Document` has it."""

    def place(self, path: Path) -> Place | None:
        """Return where something stands, or ought to; ``None``: not in the file.

        What is missing has the place of what it is missing in; but of an option whose values add
        up with those of flags, an entry that isn't in the file is a flag's.
        """
        for length in range(len(path), min(len(path), 2) - 1, -1):
            if found := self.inner.get(path[:length]):
                return found
        return None


NO_FILE = FileSettings()


def read_file(path: str, *, must_exist: bool) -> FileSettings:
    """Read a configuration file; an empty one is like ``{}``.

    InvalidArgumentError names what is wrong with its line and column.
    """
    try:
        with open(path, "rb") as stream:
            raw = stream.read(_MOST + 1)
    except FileNotFoundError as error:
        if not must_exist:
            return NO_FILE
        raise InvalidArgumentError(f"open {path}: no such file or directory") from error
    except OSError as error:
        raise InvalidArgumentError(
            f"read {path}: {(error.strerror or str(error)).lower()}"
        ) from error
    if len(raw) > _MOST:
        raise InvalidArgumentError(f"it is larger than {_MOST >> 20} MiB")
    return read_settings(raw)


def read_settings(raw: bytes) -> FileSettings:
    """Read the bytes of a configuration file; the same as :func:`read_file`."""
    try:
        text = decode(raw)
        if not text.strip():
            return NO_FILE
        document = read(text)
    except JsonTextError as error:
        raise InvalidArgumentError(f"invalid JSON: {error}") from error
    if not isinstance(document.value, dict):
        place = document.places[()]
        raise InvalidArgumentError(f"invalid JSON: {place}: an object is needed, as {{…}}")
    _refuse_unknown(document.value, document.places)
    return _settings(document.value, document)


def _refuse_unknown(given: dict[str, object], places: Mapping[Path, Place]) -> None:
    told = [_unknown(key, key, BY_KEY, places[(key,)]) for key in given if key not in BY_KEY]
    proxies = given.get(_PROXIES)
    for key in proxies if isinstance(proxies, dict) else ():
        if key not in _PROXY_KEYS:
            told.append(_unknown(f"{_PROXIES}.{key}", key, _PROXY_KEYS, places[_PROXIES, key]))
    if told:
        raise InvalidArgumentError(
            "the following directives don't match any configuration option: " + ", ".join(told)
        )


def _unknown(name: str, key: str, known: Iterable[str], place: Place) -> str:
    import difflib  # noqa: PLC0415 - hardly any file has mistakes

    near = difflib.get_close_matches(key, known, 1, 0.75)
    meant = f"; is {near[0]} meant?" if near else ""
    return f"{name} ({place}{meant})"


def _settings(given: dict[str, object], document: Document) -> FileSettings:
    values: dict[Option, Value] = {}
    places: dict[Option, Place] = {}
    for key, value in given.items():
        place = document.places[(key,)]
        if key == _PROXIES and isinstance(value, dict):
            for inner, text in value.items():
                _set(values, BY_FLAG[inner], text, document.places[_PROXIES, inner])
                places[BY_FLAG[inner]] = document.places[_PROXIES, inner]
            continue
        _set(values, BY_KEY[key], value, place)
        places[BY_KEY[key]] = place
    return FileSettings(values, places, document.places)


def _set(values: dict[Option, Value], option: Option, value: object, place: Place) -> None:
    if value is None:  # as in Go: as if it weren't there
        return
    try:
        values[option] = from_json(option, value)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"{place}: {error}") from error
