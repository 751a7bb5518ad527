"""Collectors of metrics: ``MetricsCollector.*``. They read the engine's metrics from a socket."""

from boxship.plugin.client import Nothing, PluginClient


class MetricsCollector:
    """Tells a plugin about the engine's metrics. Errors as of :meth:`PluginClient.ask`."""

    def __init__(self, client: PluginClient) -> None:
        self._client = client

    async def start(self) -> None:
        """There are metrics to be read from now on."""
        await self._client.ask(
            "MetricsCollector.StartMetrics", None, Nothing, within=self._client.timeouts.work
        )

    async def stop(self, *, within: float) -> None:
        """There will be none any more."""
        await self._client.ask("MetricsCollector.StopMetrics", None, Nothing, within=within)
