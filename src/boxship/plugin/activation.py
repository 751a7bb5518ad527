"""``Plugin.Activate``: a plugin says what it is."""

from msgspec import Struct

from boxship.plugin.capability import Capability, implemented
from boxship.plugin.client import PluginClient


class Activated(Struct, rename="pascal"):
    """The answer: the plugin's capabilities, by name."""

    implements: tuple[str, ...] = ()


async def activate(client: PluginClient) -> frozenset[Capability]:
    """Ask a plugin what it implements. Errors as of :meth:`PluginClient.ask`."""
    answer = await client.ask("Plugin.Activate", None, Activated)
    found = implemented(answer.implements)
    if not found:
        said = ", ".join(answer.implements) or "nothing"
        raise client.nonsense("Plugin.Activate", f"it implements {said}")
    return found
