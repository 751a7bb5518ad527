"""Who one is for Google's cloud: "application default credentials", and the instance's metadata.

The file that ``GOOGLE_APPLICATION_CREDENTIALS`` names, or gcloud's own; else the account of the
instance. A file is of a service account, whose key signs a request for a token (RFC 7523), or of a
person, with a token that gets others (RFC 6749, section 6).
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

from boxship.runtime.logs.driver import DeliveryError
from boxship.runtime.logs.httpcalls import HttpServer
from boxship.runtime.logs.rsasigning import read_private_key, sign

_SCOPE: Final = "https://www.googleapis.com/auth/logging.write"
_TOKENS: Final = "https://oauth2.googleapis.com/token"
_METADATA: Final = "169.254.169.254"
_METADATA_PATIENCE: Final = 1.0
_HOUR: Final = 3600
_EARLY: Final = 300.0
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
_FLAVOR: Final = {"Metadata-Flavor": "Google"}

Fetch = Callable[[str, str, Mapping[str, str], bytes, float], bytes]
"""``(method, URL, headers, body, seconds)`` → the answer; OSError."""


def fetch(method: str, url: str, headers: Mapping[str, str], body: bytes, patience: float) -> bytes:
    """Ask for one thing."""
    parts = urlsplit(url)
    server = HttpServer(url, patience=patience)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        response = server.request(method, target, headers, body)
    finally:
        server.close()
    if response.status != 200:
        raise OSError(f"{method} {url}: {response.excerpt()}")
    return response.body


class Instance(NamedTuple):
    """A virtual machine of Google's, as its metadata tell."""

    project: str = ""
    zone: str = ""
    name: str = ""
    id: str = ""


class Metadata:
    """The metadata server of the instance; there is one if this is an instance."""

    def __init__(self, environment: Mapping[str, str], ask: Fetch = fetch) -> None:
        self._ask = ask
        named = environment.get("GCE_METADATA_HOST", "")
        self._base = f"http://{named or _METADATA}/computeMetadata/v1/"
        self.exists = bool(named) or _is_instance()

    def get(self, path: str) -> bytes:
        """Return a value. OSError."""
        return self._ask("GET", self._base + path, _FLAVOR, b"", _METADATA_PATIENCE)

    def instance(self) -> Instance:
        """Return what there is to know; what can't be told is empty."""
        return Instance(
            self._text("project/project-id"),
            self._text("instance/zone").rpartition("/")[2],
            self._text("instance/name"),
            self._text("instance/id"),
        )

    def _text(self, path: str) -> str:
        try:
            return self.get(path).decode().strip()
        except OSError:
            return ""


def _is_instance() -> bool:
    try:
        with open("/sys/class/dmi/id/product_name") as file:
            return file.read().startswith("Google")
    except OSError:
        return False


class Tokens:
    """Bearer tokens, each used until shortly before its end."""

    def __init__(
        self, environment: Mapping[str, str], metadata: Metadata, ask: Fetch = fetch
    ) -> None:
        self._environment, self._metadata, self._ask = environment, metadata, ask
        self._token, self._expires = "", 0.0

    def token(self) -> str:
        """Return one that holds. OSError, DeliveryError if nobody gives one."""
        if self._expires - _EARLY < time.time():
            told = self._fetch()
            try:
                self._token = str(told["access_token"])
                self._expires = time.time() + float(told.get("expires_in", _HOUR))
            except (KeyError, TypeError, ValueError) as error:
                raise OSError(f"no token in the answer: {error}") from error
        return self._token

    def forget(self) -> None:
        """Ask for another the next time: the service did not like this one."""
        self._expires = 0.0

    def project(self) -> str:
        """Return the project that the file names, or an empty text."""
        return str(self._file().get("project_id", ""))

    def _file(self) -> dict[str, Any]:
        named = self._environment.get("GOOGLE_APPLICATION_CREDENTIALS", "")
        home = self._environment.get("HOME") or "/root"
        path = named or f"{home}/.config/gcloud/application_default_credentials.json"
        if not named and not os.path.exists(path):
            return {}
        try:
            with open(path, "rb") as file:
                told = json.load(file)
        except (OSError, ValueError) as error:
            raise DeliveryError(f"cannot read the credentials {path}: {error}") from error
        return told if isinstance(told, dict) else {}

    def _fetch(self) -> dict[str, Any]:
        file = self._file()
        kind = file.get("type")
        if kind == "service_account":
            return self._post(str(file.get("token_uri") or _TOKENS), _assertion(file))
        if kind == "authorized_user":
            wish = {name: str(file.get(name, "")) for name in _PERSONAL}
            return self._post(_TOKENS, {**wish, "grant_type": "refresh_token"})
        if file:
            raise DeliveryError(
                f"credentials of the type {kind!r} are not known; "
                "use those of a service account (service_account) or a person (authorized_user)"
            )
        if not self._metadata.exists:
            raise DeliveryError(
                "could not find default credentials: set GOOGLE_APPLICATION_CREDENTIALS"
            )
        return _object(self._metadata.get("instance/service-accounts/default/token"))

    def _post(self, url: str, form: Mapping[str, str]) -> dict[str, Any]:
        return _object(self._ask("POST", url, _FORM, urlencode(form).encode(), 5.0))


_PERSONAL: Final = ("client_id", "client_secret", "refresh_token")


def _assertion(account: Mapping[str, Any]) -> dict[str, str]:
    """Return the request for a token that a service account's key has signed."""
    now = int(time.time())
    claims = {
        "iss": account.get("client_email"),
        "scope": _SCOPE,
        "aud": account.get("token_uri") or _TOKENS,
        "iat": now,
        "exp": now + _HOUR,
    }
    head = {"alg": "RS256", "typ": "JWT", "kid": account.get("private_key_id")}
    text = b".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
    try:
        key = read_private_key(str(account.get("private_key", "")))
    except ValueError as error:
        raise DeliveryError(f"the service account's private_key: {error}") from error
    signature = _base64(sign(key, text))
    return {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": f"{text.decode()}.{signature.decode()}",
    }


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise OSError("the answer is no JSON object")
    return told
