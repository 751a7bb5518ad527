"""Who one is for AWS, looked for where its programs look: the order is the functions' below.

The option ``awslogs-credentials-endpoint``; the environment (``AWS_ACCESS_KEY_ID`` …); the shared
file (``~/.aws/credentials``, a profile of it); the endpoint that a container service names in the
environment; the instance's metadata, version 2.
"""

from __future__ import annotations

import configparser
import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from boxship.base.clock import parse_rfc3339
from boxship.runtime.logs.awssigning import Credentials
from boxship.runtime.logs.driver import DeliveryError
from boxship.runtime.logs.httpcalls import HttpServer

_CONTAINER_SERVICE: Final = "http://169.254.170.2"
_METADATA: Final = "http://169.254.169.254"
_METADATA_PATIENCE: Final = 1.0
_EARLY: Final = 300.0
"""Seconds before their end that credentials are fetched anew."""

Fetch = Callable[[str, str, str, Mapping[str, str]], str]
"""``(method, base URL, path, headers)`` → the answer's text; OSError."""


def fetch(method: str, base: str, path: str, headers: Mapping[str, str]) -> str:
    """Ask an endpoint of the machine's or the container service's."""
    server = HttpServer(base, patience=_METADATA_PATIENCE)
    try:
        response = server.request(method, path, headers)
    finally:
        server.close()
    if response.status != 200:
        raise OSError(f"{method} {base}{path}: {response.excerpt()}")
    return response.body.decode()


class Identity:
    """The credentials that hold, fetched again before they end."""

    def __init__(self, endpoint: str, environment: Mapping[str, str], ask: Fetch = fetch) -> None:
        self._endpoint, self._environment, self._ask = endpoint, environment, ask
        self._found: Credentials | None = None

    def credentials(self) -> Credentials:
        """Return them. OSError, or DeliveryError if there are none anywhere."""
        if self._found is None or self._found.expires - _EARLY < time.time():
            self._found = self._look()
        return self._found

    def forget(self) -> None:
        """Look for them again the next time: the server did not like these."""
        self._found = None

    def _look(self) -> Credentials:
        if self._endpoint:
            return self._from(_CONTAINER_SERVICE, self._endpoint, {})
        found = from_environment(self._environment) or from_file(self._environment)
        return found or self._from_container_service() or self._from_instance()

    def _from_container_service(self) -> Credentials | None:
        environment = self._environment
        if path := environment.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
            return self._from(_CONTAINER_SERVICE, path, {})
        url = environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        if not url:
            return None
        parts = urlsplit(url)
        token = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        headers = {"Authorization": token} if token else {}
        return self._from(f"{parts.scheme}://{parts.netloc}", parts.path, headers)

    def _from_instance(self) -> Credentials:
        base = self._environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _METADATA
        path = "/latest/meta-data/iam/security-credentials/"
        try:
            headers = metadata_headers(base, self._ask)
            role = self._ask("GET", base, path, headers).split("\n")[0].strip()
            return self._from(base, path + role, headers)
        except OSError as error:
            raise DeliveryError(f"no AWS credentials found: {error}") from error

    def _from(self, base: str, path: str, headers: Mapping[str, str]) -> Credentials:
        try:
            told: dict[str, Any] = json.loads(self._ask("GET", base, path, headers))
            return Credentials(
                told["AccessKeyId"],
                told["SecretAccessKey"],
                told.get("Token", ""),
                parse_rfc3339(told["Expiration"]) / 1e9 if "Expiration" in told else float("inf"),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise OSError(f"{base}{path}: no credentials in the answer: {error}") from error


def from_environment(environment: Mapping[str, str]) -> Credentials | None:
    """Return those of the environment."""
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return None
    return Credentials(key, secret, environment.get("AWS_SESSION_TOKEN", ""))


def from_file(environment: Mapping[str, str]) -> Credentials | None:
    """Return those of the shared file."""
    default = os.path.join(environment.get("HOME") or "/root", ".aws/credentials")
    profiles = configparser.RawConfigParser()
    try:
        profiles.read(environment.get("AWS_SHARED_CREDENTIALS_FILE") or default)
    except (OSError, configparser.Error):
        return None
    profile = environment.get("AWS_PROFILE") or "default"
    if not profiles.has_section(profile):
        return None
    values = dict(profiles.items(profile))
    key, secret = values.get("aws_access_key_id"), values.get("aws_secret_access_key")
    return Credentials(key, secret, values.get("aws_session_token", "")) if key and secret else None


def metadata_headers(base: str, ask: Fetch = fetch) -> dict[str, str]:
    """Return the headers for the instance's metadata. OSError."""
    wish = {"X-aws-ec2-metadata-token-ttl-seconds": "21600"}
    return {"X-aws-ec2-metadata-token": ask("PUT", base, "/latest/api/token", wish)}


def find_region(environment: Mapping[str, str], ask: Fetch = fetch) -> str:
    """Return the region of the environment or the instance. DeliveryError if there is none."""
    named = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if named:
        return named
    base = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _METADATA
    try:
        path = "/latest/meta-data/placement/region"
        return ask("GET", base, path, metadata_headers(base, ask)).strip()
    except OSError as error:
        raise DeliveryError(f"Cannot determine region for awslogs driver: {error}") from error
