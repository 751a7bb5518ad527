"""Becoming authorized: what a registry's challenge asks for, and tokens that are kept.

::

    request ── 401, WWW-Authenticate: Bearer realm=…,service=…,scope=… ──► remembered for the origin
    realm   ── GET ?service&scope, basic authentication or none ─────────► token (name and password)
            ── POST grant_type=refresh_token, scope ─────────────────────► token (identity token)
    request ── Authorization: Bearer <token> ────────────────────────────► answer

Once an origin has asked, later requests bring their token along. One thread fetches a token, others
who need the same one wait for it.
"""

import base64
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

import msgspec

from boxship.distribution import urls
from boxship.distribution.answers import refusal
from boxship.distribution.cancel import Cancel
from boxship.distribution.challenges import Challenge
from boxship.distribution.credentials import Credentials
from boxship.distribution.errors import (
    BadRegistryAnswerError,
    RegistryDeniedError,
    RegistryError,
    RegistryUnauthorizedError,
)
from boxship.distribution.tls import TlsRules
from boxship.distribution.transport import Request, Transport
from boxship.distribution.urls import plain_url

CLIENT_ID = "boxship"
_SHORTEST_LIFE = 60.0
"""Seconds; the token specification's minimum, and what holds if a server names none."""
_LONGEST_LIFE = 24 * 3600.0
_EARLY = 5.0
_LOOK_AROUND = 0.2
"""Seconds between two looks at whether one who waits for another's token still wants it."""
_LONGEST_ANSWER = 1 << 20
_NO_POST = {404, 405}
_TOKEN = re.compile(r"[!-~]+")
"""What fits into a header; one that didn't would be shown in the error that says so."""


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    expires: float

    @property
    def fresh(self) -> bool:
        return time.monotonic() < self.expires


@dataclass(frozen=True, slots=True)
class _Key:
    realm: str
    service: str
    credentials: Credentials
    scopes: frozenset[str]


class _TokenAnswer(msgspec.Struct):
    token: str = ""
    access_token: str = ""
    expires_in: int | None = None
    refresh_token: str = ""


@dataclass(frozen=True, slots=True)
class Granted:
    """A token server's answer to a login; ``refresh_token`` may be empty."""

    refresh_token: str = field(repr=False)


class Authorizer:
    """Keeps challenges by origin and tokens by scope. Thread-safe."""

    def __init__(self, transport: Transport, tls_of: Callable[[str], TlsRules]) -> None:
        self._transport = transport
        self._tls_of = tls_of
        self._lock = threading.Lock()
        self._challenges: dict[str, Challenge] = {}
        self._tokens: dict[_Key, _Token] = {}
        self._fetching: dict[_Key, threading.Lock] = {}

    def header(
        self,
        origin: str,
        credentials: Credentials,
        scopes: frozenset[str],
        cancel: Cancel | None = None,
    ) -> str:
        """Return the value for ``Authorization``; empty if the origin hasn't asked for one."""
        challenge = self._challenges.get(origin)
        if challenge is None:
            return ""
        if challenge.scheme == "basic":
            return basic_header(credentials)
        if credentials.registry_token:
            if not _TOKEN.fullmatch(credentials.registry_token):
                raise RegistryUnauthorizedError("the registry token is none: it has odd characters")
            return f"Bearer {credentials.registry_token}"
        key = _key(challenge, credentials, scopes)
        try:
            return f"Bearer {self._token(key, origin, cancel).value}"
        except RegistryError:
            self._forget(origin, challenge)
            raise

    def learn(
        self, origin: str, challenges: tuple[Challenge, ...], credentials: Credentials, used: str
    ) -> frozenset[str] | None:
        """Take in a 401's challenges; ``used`` is the header that was refused.

        Return the scopes it asks for beyond the caller's own; ``None`` if there is nothing to try.
        Bearer is preferred, as the finer one.
        """
        by_scheme = {challenge.scheme: challenge for challenge in reversed(challenges)}
        chosen = by_scheme.get("bearer") or by_scheme.get("basic")
        if chosen is None:
            return None
        if chosen.scheme == "basic":
            with self._lock:
                self._challenges[origin] = chosen
            return frozenset() if credentials.username and not used else None
        if not chosen.get("realm"):
            raise BadRegistryAnswerError(f"{origin} asks for a token and names no realm")
        with self._lock:
            self._challenges[origin] = chosen
            refused = [
                key for key, token in self._tokens.items() if used == f"Bearer {token.value}"
            ]
            for key in refused:
                del self._tokens[key]
        if used and credentials.registry_token:
            return None
        return frozenset(chosen.get("scope").split())

    def log_in(self, challenge: Challenge, origin: str, credentials: Credentials) -> Granted:
        """Show credentials to the challenge's token server and ask for a refresh token."""
        key = _key(challenge, credentials, frozenset())
        answer = self._fetch(key, origin, None, offline=True)
        return Granted(answer.refresh_token)

    def _token(self, key: _Key, origin: str, cancel: Cancel | None) -> _Token:
        with self._lock:
            fetching = self._fetching.setdefault(key, threading.Lock())
        while not fetching.acquire(timeout=_LOOK_AROUND):
            if cancel is not None:
                cancel.check()
        try:
            token = self._kept(key)
            if token is None:
                answer = self._fetch(key, origin, cancel)
                life = min(max(answer.expires_in or 0, _SHORTEST_LIFE), _LONGEST_LIFE) - _EARLY
                value = answer.token or answer.access_token
                if not _TOKEN.fullmatch(value):
                    # Not to be shown: most of it may be right.
                    kind = "a token of odd characters" if value else "no token"
                    raise BadRegistryAnswerError(f"{plain_url(key.realm)} answered with {kind}")
                token = _Token(value, time.monotonic() + life)
                with self._lock:
                    self._forget_stale()
                    self._tokens[key] = token
        except RegistryError:
            with self._lock:
                self._fetching.pop(key, None)
            raise
        else:
            return token
        finally:
            fetching.release()

    def _forget(self, origin: str, challenge: Challenge) -> None:
        """What it named was no help: next time the registry is heard anew."""
        with self._lock:
            if self._challenges.get(origin) is challenge:
                del self._challenges[origin]

    def _kept(self, key: _Key) -> _Token | None:
        with self._lock:
            token = self._tokens.get(key)
        return token if token is not None and token.fresh else None

    def _forget_stale(self) -> None:
        for key in [key for key, token in self._tokens.items() if not token.fresh]:
            del self._tokens[key]
            self._fetching.pop(key, None)

    def _fetch(
        self, key: _Key, origin: str, cancel: Cancel | None, *, offline: bool = False
    ) -> _TokenAnswer:
        _check_realm(key, origin, self._tls_of)
        if key.credentials.identity_token:
            return self._posted(key, cancel, offline=offline)
        status, answer = self._ask(_get(key, self._tls_of(key.realm), offline=offline), cancel)
        if status in _NO_POST and key.credentials.username:
            return self._posted(key, cancel, offline=offline)
        return _granted(answer, key)

    def _posted(self, key: _Key, cancel: Cancel | None, *, offline: bool) -> _TokenAnswer:
        _, answer = self._ask(_post(key, self._tls_of(key.realm), offline=offline), cancel)
        return _granted(answer, key)

    def _ask(self, request: Request, cancel: Cancel | None) -> tuple[int, bytes | RegistryError]:
        with self._transport.send(request, cancel) as reply:
            if reply.status != 200:
                return reply.status, refusal(reply.status, reply.headers, reply.start())
            return reply.status, reply.read(_LONGEST_ANSWER)


def _key(challenge: Challenge, credentials: Credentials, scopes: frozenset[str]) -> _Key:
    return _Key(challenge.get("realm"), challenge.get("service"), credentials, scopes)


def _check_realm(key: _Key, origin: str, tls_of: Callable[[str], TlsRules]) -> None:
    try:
        scheme, _, _ = urls.origin(key.realm)
    except BadRegistryAnswerError as error:
        raise BadRegistryAnswerError(
            f"{origin} names {key.realm!r} as its token server: {error}"
        ) from error
    is_worse = scheme == "http" and origin.startswith("https://")
    if is_worse and key.credentials.given and tls_of(key.realm).verify:
        raise BadRegistryAnswerError(
            f"{origin} asks to show credentials to {key.realm} without encryption: refused"
        )


def basic_header(credentials: Credentials) -> str:
    """Return the value of ``Authorization`` for name and password; empty without a name."""
    if not credentials.username:
        return ""
    text = f"{credentials.username}:{credentials.password}"
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def _get(key: _Key, tls: TlsRules, *, offline: bool) -> Request:
    query = [("account", key.credentials.username)] if key.credentials.username else []
    query += [("client_id", CLIENT_ID)] if offline else []
    query += [("offline_token", "true")] if offline else []
    query += [("service", key.service)] if key.service else []
    query += [("scope", scope) for scope in sorted(key.scopes)]
    joint = "&" if "?" in key.realm else "?"
    basic = basic_header(key.credentials)
    headers = {"Authorization": basic} if basic else {}
    return Request("GET", f"{key.realm}{joint}{urlencode(query)}", tls, headers)


def _post(key: _Key, tls: TlsRules, *, offline: bool) -> Request:
    given = key.credentials
    form = {"service": key.service, "client_id": CLIENT_ID}
    if key.scopes:
        form["scope"] = " ".join(sorted(key.scopes))
    if given.identity_token:
        form |= {"grant_type": "refresh_token", "refresh_token": given.identity_token}
    else:
        form |= {
            "grant_type": "password",
            "username": given.username,
            "password": given.password,
        }
    if offline:
        form["access_type"] = "offline"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode(form).encode()
    return Request("POST", key.realm, tls, headers, body, secret_body=True)


def _granted(answer: bytes | RegistryError, key: _Key) -> _TokenAnswer:
    if isinstance(answer, RegistryDeniedError):
        # A token server that knows the user and refuses all the same: for the user it is a login.
        raise RegistryUnauthorizedError(
            str(answer), code=answer.code, told=answer.told, status=answer.status
        )
    if isinstance(answer, RegistryError):
        raise answer
    try:
        return msgspec.json.decode(answer, type=_TokenAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRegistryAnswerError(
            f"{key.realm} answered with something else than a token"
        ) from error
