"""Why something is as it is. Boxship's daemon knows these requests, Docker's does not."""

from urllib.parse import quote

from boxship.client.engine import EngineClient, JsonObject

_OF = {
    "container": "/containers/{}/why",
    "image": "/images/{}/why",
    "volume": "/volumes/{}/why",
    "network": "/networks/{}/why",
}
KINDS = (*_OF, "port", "disk")


def why(client: EngineClient, kind: str, name: str) -> JsonObject:
    """Ask about one of ``KINDS``. NotFoundError; a port is written ``8080`` or ``8080/udp``."""
    found: JsonObject
    if kind == "disk":
        found = client.json("GET", "/boxship/disk/why")
    elif kind == "port":
        number, _, protocol = name.partition("/")
        query = {"port": number, "protocol": protocol or "tcp"}
        found = client.json("GET", "/boxship/ports/why", query)
    else:
        found = client.json("GET", _OF[kind].format(quote(name, safe="/:@")))
    return found
