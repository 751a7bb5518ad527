"""Encodings, digests, identifiers and times."""

import base64
import binascii
import csv
import hashlib
import io
import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from boxship.base.moments import parse_duration
from boxship.cli.bake.hcl.conversion import to_number, to_string
from boxship.cli.bake.hcl.evaluation import FunctionError
from boxship.cli.bake.hcl.scanner import whole
from boxship.cli.bake.hcl.syntax import Value


def base64encode(text: Value) -> Value:
    """Return the text in base64."""
    return base64.b64encode(to_string(text).encode()).decode()


def base64decode(text: Value) -> Value:
    """Return the text that was encoded."""
    try:
        return base64.b64decode(to_string(text), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise FunctionError("this is no text in base64") from None


def jsonencode(value: Value) -> Value:
    """Return a value as JSON, without spaces, keys in their order."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def jsondecode(text: Value) -> Value:
    """Return the value that a text in JSON stands for."""
    try:
        return from_python(json.loads(to_string(text)))
    except (ValueError, RecursionError) as error:
        raise FunctionError(f"invalid JSON: {error}") from None


def from_python(value: Any) -> Value:
    """Return the value that what a JSON or YAML reader gives is here."""
    if isinstance(value, list):
        return tuple(map(from_python, value))
    if isinstance(value, dict):
        return {str(key): from_python(one) for key, one in value.items()}
    if isinstance(value, float):
        return whole(value)
    return value if isinstance(value, str | bool | int) or value is None else str(value)


def csvdecode(text: Value) -> Value:
    """Return the rows of a table as objects; the first row has the names."""
    try:
        rows = list(csv.reader(io.StringIO(to_string(text)), strict=True))
    except csv.Error as error:
        raise FunctionError(f"invalid CSV: {error}") from None
    names = rows[0] if rows else []
    if any(len(row) != len(names) for row in rows):
        raise FunctionError("all rows need as many fields as there are names")
    return tuple(dict(zip(names, row, strict=True)) for row in rows[1:])


def md5(text: Value) -> Value:
    """Return the MD5 digest, in hexadecimal."""
    return hashlib.md5(to_string(text).encode(), usedforsecurity=False).hexdigest()


def sha1(text: Value) -> Value:
    """Return the SHA-1 digest, in hexadecimal."""
    return hashlib.sha1(to_string(text).encode(), usedforsecurity=False).hexdigest()


def sha256(text: Value) -> Value:
    """Return the SHA-256 digest, in hexadecimal."""
    return hashlib.sha256(to_string(text).encode()).hexdigest()


def sha512(text: Value) -> Value:
    """Return the SHA-512 digest, in hexadecimal."""
    return hashlib.sha512(to_string(text).encode()).hexdigest()


def uuidv4() -> Value:
    """Return a random identifier."""
    return str(uuid.uuid4())


_NAMESPACES = {
    "dns": uuid.NAMESPACE_DNS,
    "url": uuid.NAMESPACE_URL,
    "oid": uuid.NAMESPACE_OID,
    "x500": uuid.NAMESPACE_X500,
}


def uuidv5(namespace: Value, name: Value) -> Value:
    """Return the identifier of a name: namespace dns, url, oid, x500 or a UUID."""
    text = to_string(namespace)
    try:
        space = _NAMESPACES.get(text) or uuid.UUID(text)
    except ValueError:
        raise FunctionError(f'"{text}" is no namespace of UUIDs') from None
    return str(uuid.uuid5(space, to_string(name)))


def timestamp() -> Value:
    """Return the time, in UTC, as RFC 3339."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: Value) -> datetime:
    try:
        moment = datetime.fromisoformat(to_string(text))
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise FunctionError(f'"{to_string(text)}" is no time as in RFC 3339')
    return moment


def _written(moment: datetime) -> str:
    return re.sub(r"\+00:00$", "Z", moment.isoformat())


def timeadd(time: Value, duration: Value) -> Value:
    """Return a time so much later, such as ``1h30m``."""
    try:
        later = timedelta(microseconds=parse_duration(to_string(duration)) / 1000)
        return _written(_moment(time) + later)
    except (ValueError, OverflowError) as error:
        raise FunctionError(str(error)) from None


def unixtimestampparse(seconds: Value) -> Value:
    """Return the parts of a time in seconds since 1970."""
    try:
        moment = datetime.fromtimestamp(to_number(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        raise FunctionError("there is no such time") from None
    week = moment.isocalendar()
    return {
        "year": moment.year,
        "year_day": moment.timetuple().tm_yday,
        "day": moment.day,
        "month": moment.month,
        "month_name": f"{moment:%B}",
        "weekday": (moment.weekday() + 1) % 7,
        "weekday_name": f"{moment:%A}",
        "hour": moment.hour,
        "minute": moment.minute,
        "second": moment.second,
        "iso_year": week.year,
        "iso_week": week.week,
        "rfc3339": _written(moment),
    }


_DATE_PART = re.compile(r"'((?:[^']|'')*)'|([a-zA-Z])\2*|.", re.DOTALL)
_DATE_FORMS = {
    "YYYY": "%Y", "YY": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "DD": "%d", "EEEE": "%A",
    "EEE": "%a", "hh": "%H", "HH": "%I", "AA": "%p", "mm": "%M", "ss": "%S",
}  # fmt: skip
_SHORT = {"M": "%m", "D": "%d", "h": "%H", "H": "%I", "m": "%M", "s": "%S"}


def formatdate(form: Value, time: Value) -> Value:
    """Return a time in the form ``YYYY-MM-DD'T'hh:mm:ssZ``."""
    moment = _moment(time)
    return _DATE_PART.sub(lambda part: _date_part(part, moment), to_string(form))


def _date_part(part: re.Match[str], moment: datetime) -> str:
    word = part[0]
    if part[1] is not None:
        return part[1].replace("''", "'")
    if word in _DATE_FORMS:
        return moment.strftime(_DATE_FORMS[word])
    if word in _SHORT:
        return str(int(moment.strftime(_SHORT[word])))
    if word == "aa":
        return moment.strftime("%p").lower()
    if word in ("Z", "ZZZZ", "ZZZZZ"):
        zone = moment.strftime("%z")
        text = zone if word == "ZZZZ" else f"{zone[:3]}:{zone[3:5]}"
        return "Z" if word == "Z" and text == "+00:00" else text
    if part[2]:
        raise FunctionError(f'"{word}" is no part of a date; letters are put in quotes')
    return word
