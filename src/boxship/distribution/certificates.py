"""The administrator's directories of certificates.

::

    <certs.d>/HOST[:PORT]/
        *.crt        authorities to believe, beside the machine's own
        *.cert       certificates to show, each with its
        *.key
        hosts.toml   other endpoints than the registry itself (``hostrules.py``)

Directories are read in their order; all of them count, and the first ``hosts.toml``.
"""

import os
from collections.abc import Iterator

from boxship.distribution.errors import CertificateProblemError
from boxship.distribution.hostrules import HostRules, read_rules
from boxship.distribution.tls import ClientCertificate, StampedFile, TlsRules

_RULES = "hosts.toml"
_DEFAULT = "_default"


class Certificates:
    """What ``certs.d`` says of a host."""

    def __init__(self, directories: tuple[str, ...]) -> None:
        self._directories = directories

    def tls(self, host: str, *, verify: bool = True) -> TlsRules:
        """Return the rules for ``host[:port]``. Raise CertificateProblemError for a lone key."""
        authorities: list[StampedFile] = []
        clients: list[ClientCertificate] = []
        for directory in self._places(host):
            names = _names(directory)
            authorities += (_file(directory, name) for name in names if name.endswith(".crt"))
            clients += _pairs(directory, names)
        return TlsRules(tuple(authorities), tuple(clients), verify)

    def rules(self, domain: str) -> HostRules | None:
        """Return the ``hosts.toml`` of a domain, else that of ``_default``, else ``None``."""
        for directory in (*self._places(domain), *self._under(_DEFAULT)):
            path = os.path.join(directory, _RULES)
            if os.path.isfile(path):
                return read_rules(path, domain)
        return None

    def _places(self, host: str) -> Iterator[str]:
        name, colon, port = host.rpartition(":")
        yield from self._under(host)
        if colon and port.isdigit():
            yield from self._under(f"{name}_{port}_")  # for file systems without colons

    def _under(self, name: str) -> Iterator[str]:
        for directory in self._directories:
            place = os.path.join(directory, name)
            if os.path.isdir(place):
                yield place


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except PermissionError as error:
        raise CertificateProblemError(f"{directory}: {error.strerror}") from error


def _pairs(directory: str, names: list[str]) -> Iterator[ClientCertificate]:
    for name in names:
        stem, dot, kind = name.rpartition(".")
        if not dot or kind not in {"cert", "key"}:
            continue
        other = f"{stem}.{'key' if kind == 'cert' else 'cert'}"
        if other not in names:
            raise CertificateProblemError(
                f"missing key {other} for client certificate {name} in {directory}. "
                "CA certificates must use the extension .crt"
                if kind == "cert"
                else f"missing client certificate {other} for key {name} in {directory}"
            )
        if kind == "cert":
            yield ClientCertificate(_file(directory, name), _file(directory, other))


def _file(directory: str, name: str) -> StampedFile:
    return StampedFile.of(os.path.join(directory, name))
