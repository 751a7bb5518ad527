"""Where a registry is: its endpoints, in the order in which they are asked.

::

    docker.io          mirrors of the settings, then https://registry-1.docker.io
    any other          https://HOST
    insecure HOST      https://HOST without verification, then http://HOST
    with hosts.toml    its hosts in their order, then its server

What ``certs.d/HOST[:PORT]/`` holds counts for all of them (``certificates.py``, ``hostrules.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from boxship.distribution.capabilities import EVERYTHING, READING, Capability
from boxship.distribution.certificates import Certificates
from boxship.distribution.errors import RegistryError
from boxship.distribution.hostrules import HostRules
from boxship.distribution.insecure import InsecureRegistries
from boxship.distribution.settings import RegistrySettings
from boxship.distribution.tls import DEFAULT_RULES, TlsRules
from boxship.oci.reference import DEFAULT_DOMAIN

HUB = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``base`` ends before the repository's path: ``https://host/v2``.

    ``own`` says that it is the registry itself, and no mirror. ``shown`` says that it is the very
    host that credentials are for, so that they may be shown to it. ``namespace`` is told to mirrors
    that stand for several registries. ``headers`` may be secret.
    """

    base: str
    tls: TlsRules = DEFAULT_RULES
    capabilities: frozenset[Capability] = EVERYTHING
    own: bool = True
    shown: bool = True
    namespace: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.base)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def is_plain(self) -> bool:
        return self.base.startswith("http://")


class Endpoints:
    """Finds endpoints; files are read each time, so that what an administrator changes counts."""

    def __init__(self, settings: RegistrySettings) -> None:
        self._mirrors = tuple(_mirror_base(mirror) for mirror in settings.mirrors)
        self._insecure = InsecureRegistries(settings.insecure)
        self._certificates = Certificates(settings.cert_directories)

    def of(self, domain: str) -> tuple[Endpoint, ...]:
        """Return the endpoints of a reference's domain, at least one."""
        if not domain:
            raise RegistryError("the reference names no registry that could be asked")
        rules = self._certificates.rules(domain)
        if rules is not None:
            return self._ruled(domain, rules)
        if domain != DEFAULT_DOMAIN:
            return self.direct(domain)
        mirrors = (
            Endpoint(base, self.tls_of(base), READING, own=False, shown=False)
            for base in self._mirrors
        )
        # Docker Hub proves who it is. Its name is not looked up: mirrors do without.
        return (*mirrors, Endpoint(f"https://{HUB}/v2", self._certificates.tls(HUB)))

    def is_insecure(self, domain: str) -> bool:
        """Tell whether the settings let a registry do without certificates."""
        return self._insecure.contains(domain)

    def direct(self, host: str) -> tuple[Endpoint, ...]:
        """The registry at ``host[:port]`` itself."""
        if not self._insecure.contains(host):
            return (Endpoint(f"https://{host}/v2", self._certificates.tls(host)),)
        unverified = self._certificates.tls(host, verify=False)
        return (
            Endpoint(f"https://{host}/v2", unverified),
            Endpoint(f"http://{host}/v2"),
        )

    def tls_of(self, url: str) -> TlsRules:
        """The rules for any host: a mirror, a token server, a redirect's target."""
        host = urlsplit(url).netloc.rpartition("@")[2]
        return self._certificates.tls(host, verify=not self._insecure.contains(host))

    def _ruled(self, domain: str, rules: HostRules) -> tuple[Endpoint, ...]:
        server = rules.server
        default = HUB if domain == DEFAULT_DOMAIN else domain
        found = [
            Endpoint(
                base=host.base,
                tls=host.tls,
                capabilities=host.capabilities or EVERYTHING,
                own=urlsplit(host.base).netloc == default,
                shown=urlsplit(host.base).netloc == default,
                namespace="" if urlsplit(host.base).netloc == default else domain,
                headers=host.headers,
            )
            for host in rules.hosts
        ]
        if server is None:
            return (*found, *self.direct(default))
        last = Endpoint(
            base=server.base,
            tls=server.tls,
            capabilities=server.capabilities or EVERYTHING,
            # It may be another: whoever logged in to this one didn't mean to tell that one.
            shown=urlsplit(server.base).netloc == default,
            headers=server.headers,
        )
        return (*found, last)


def _mirror_base(mirror: str) -> str:
    return f"{mirror.rstrip('/')}/v2"
