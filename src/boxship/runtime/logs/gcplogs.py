"""``gcplogs``: to Google Cloud Logging, by the REST call ``entries:write``.

(https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/write.) Entries carry an id of
their own, so that the service drops what it gets twice.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlsplit

from boxship.base.clock import format_ns
from boxship.runtime.logs.driver import Batch, DeliveryError, Entry
from boxship.runtime.logs.gcpidentity import Instance, Metadata, Tokens
from boxship.runtime.logs.httpcalls import HttpServer, Response
from boxship.runtime.logs.words import read_truth, reason
from boxship.runtime.messages import LogFacts, LogTarget

_SERVICE: Final = "https://logging.googleapis.com/"
_OVERRIDE: Final = "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING"
"""Google's own name for another endpoint, as a private network has one."""
_LOG: Final = "gcplogs-docker-driver"
_PATH: Final = "v2/entries:write"
_REFUSED: Final = (400, 413)


def open_driver(target: LogTarget) -> GcplogsDriver:
    """Find out who and where we are, and see that the service takes entries of us.

    Raise OSError or DeliveryError.
    """
    options = target.options
    metadata = Metadata(os.environ)
    tokens = Tokens(os.environ, metadata)
    instance = metadata.instance() if metadata.exists else _named_instance(options)
    project = options.get("gcp-project") or instance.project or tokens.project()
    if not project:
        raise DeliveryError(
            "No project was specified and couldn't read project from the metadata server. "
            "Please specify a project"
        )
    endpoint = os.environ.get(_OVERRIDE) or _SERVICE
    driver = GcplogsDriver(
        HttpServer(endpoint),
        f"{urlsplit(endpoint).path.rstrip('/')}/{_PATH}",
        tokens,
        common_fields(project, instance),
        payload_of(target.facts, instance, with_command=read_truth(options.get("gcp-log-cmd"))),
    )
    try:
        driver.verify()
    except (OSError, DeliveryError) as error:
        driver.close()
        raise DeliveryError(
            f"unable to connect or authenticate with Google Cloud Logging: {error}"
        ) from error
    return driver


def _named_instance(options: Mapping[str, str]) -> Instance:
    zone, name, number = (options.get(f"gcp-meta-{word}", "") for word in ("zone", "name", "id"))
    return Instance(zone=zone, name=name, id=number)


def common_fields(project: str, instance: Instance) -> dict[str, Any]:
    """Return what a request says once for all its entries."""
    known = instance.zone or instance.name or instance.id
    labels = {"instance_id": instance.id, "zone": instance.zone}
    return {
        "logName": f"projects/{project}/logs/{quote(_LOG, safe='')}",
        "resource": {"type": "gce_instance", "labels": labels}
        if known
        else {"type": "global", "labels": {"project_id": project}},
    }


def payload_of(facts: LogFacts, instance: Instance, *, with_command: bool) -> dict[str, Any]:
    """Return what all entries of a container have in their payload."""
    container: dict[str, Any] = {
        "name": f"/{facts.container_name}",
        "id": facts.container_id,
        "imageName": facts.image_name,
        "imageId": facts.image_id,
        "created": format_ns(facts.created_ns),
    }
    if with_command:
        container["command"] = facts.command
    if facts.attributes:
        container["metadata"] = facts.attributes
    place = {"zone": instance.zone, "name": instance.name, "id": instance.id}
    known = {name: value for name, value in place.items() if value}
    return {**({"instance": known} if known else {}), "container": container}


class GcplogsDriver:
    """A log of a project."""

    batch = Batch(seconds=1.0, entries=1000)
    kept = 0

    def __init__(
        self,
        server: HttpServer,
        path: str,
        tokens: Tokens,
        common: Mapping[str, Any],
        payload: Mapping[str, Any],
    ) -> None:
        self._server, self._path, self._tokens = server, path, tokens
        self._common, self._payload = common, payload
        self._session = os.urandom(6).hex()
        self._written = 0

    def verify(self) -> None:
        """Have the service say whether it would take an entry. OSError, DeliveryError."""
        response = self._post({"entries": [{"textPayload": "ping"}], "dryRun": True})
        if response.status != 200:
            raise DeliveryError(response.excerpt())

    def send(self, entries: Sequence[Entry]) -> None:
        written = [self._entry(number, entry) for number, entry in enumerate(entries)]
        response = self._post({"entries": written})
        if response.status in _REFUSED and len(entries) > 1:
            self._send_halves(entries)
        elif response.status != 200:
            # One that is refused for what it is will not be taken the next time either.
            refused = response.status in _REFUSED
            raise DeliveryError(f"entries.write: {response.excerpt()}", refused=refused)
        else:
            self._written += len(entries)

    def _send_halves(self, entries: Sequence[Entry]) -> None:
        """One entry is refused with all that are in its request, or they are too many."""
        half = len(entries) // 2
        self.send(entries[:half])
        try:
            self.send(entries[half:])
        except DeliveryError as error:
            delivered = half + error.delivered
            raise DeliveryError(str(error), delivered=delivered, refused=error.refused) from error
        except OSError as error:
            raise DeliveryError(reason(error), delivered=half) from error

    def _entry(self, number: int, entry: Entry) -> dict[str, Any]:
        return {
            "timestamp": format_ns(entry.time_ns),
            "insertId": f"{self._session}-{self._written + number:012}",
            "jsonPayload": {**self._payload, "message": entry.line.decode(errors="replace")},
        }

    def _post(self, wish: Mapping[str, Any]) -> Response:
        headers = {
            "Authorization": f"Bearer {self._tokens.token()}",
            "Content-Type": "application/json",
        }
        body = json.dumps({**self._common, **wish}, separators=(",", ":")).encode()
        response = self._server.request("POST", self._path, headers, body)
        if response.status == 401:
            self._tokens.forget()
        return response

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        self._server.close()
