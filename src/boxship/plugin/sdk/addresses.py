"""Plugins that give addresses (IPAM): subclass :class:`AddressPlugin`."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from boxship.plugin.sdk.serving import Answer, Json, Part, text, texts


@dataclass(frozen=True)
class AddressPool:
    """A subnet that was given, under an id of the plugin's own."""

    id: str
    subnet: str
    data: Mapping[str, str] = field(default_factory=dict)


class AddressPlugin(Part):
    """Gives pools and addresses. To refuse, raise ``RefusedError``; calls come in several threads.

    ``options`` of an address say what it is for: ``RequestAddressType`` is
    ``com.docker.network.gateway`` for a gateway's.
    """

    space = "local"
    """The name of the address space."""
    wants_mac = False
    """Whether options of an address are to have the interface's MAC address."""

    @abstractmethod
    def request_pool(
        self, subnet: str, part: str, options: Mapping[str, str], *, ipv6: bool
    ) -> AddressPool:
        """Give a pool; an empty ``subnet`` leaves it to the plugin, ``part`` bounds addresses."""

    @abstractmethod
    def release_pool(self, pool: str) -> None:
        """It is not used any more."""

    @abstractmethod
    def request_address(self, pool: str, address: str, options: Mapping[str, str]) -> str:
        """Give an address with its prefix; an empty ``address`` leaves it to the plugin."""

    @abstractmethod
    def release_address(self, pool: str, address: str) -> None:
        """It is not used any more."""

    def capability(self) -> str:
        return "IpamDriver"

    def calls(self) -> Mapping[str, Callable[[Json], Answer]]:
        return {
            "IpamDriver.GetCapabilities": lambda _: {"RequiresMACAddress": self.wants_mac},
            "IpamDriver.GetDefaultAddressSpaces": lambda _: {
                "LocalDefaultAddressSpace": self.space,
                "GlobalDefaultAddressSpace": self.space,
            },
            "IpamDriver.RequestPool": self._request_pool,
            "IpamDriver.ReleasePool": self._release_pool,
            "IpamDriver.RequestAddress": self._request_address,
            "IpamDriver.ReleaseAddress": self._release_address,
        }

    def _request_pool(self, wish: Json) -> Answer:
        pool = self.request_pool(
            text(wish, "Pool"),
            text(wish, "SubPool"),
            texts(wish, "Options"),
            ipv6=wish.get("V6") is True,
        )
        return {"PoolID": pool.id, "Pool": pool.subnet, "Data": dict(pool.data)}

    def _release_pool(self, wish: Json) -> Answer:
        self.release_pool(text(wish, "PoolID"))
        return {}

    def _request_address(self, wish: Json) -> Answer:
        pool, address = text(wish, "PoolID"), text(wish, "Address")
        return {"Address": self.request_address(pool, address, texts(wish, "Options"))}

    def _release_address(self, wish: Json) -> Answer:
        self.release_address(text(wish, "PoolID"), text(wish, "Address"))
        return {}
