"""Whom we believe to be a registry, and how a failure of that is told."""

import contextlib
import os
import socket
import ssl
from dataclasses import dataclass

from boxship.distribution.errors import CertificateProblemError

# OpenSSL's X509_V_ERR_… for which there is something better to say.
_NAME_MISMATCH = {62, 64}
_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21, 27}
_OUT_OF_DATE = {9, 10}

_LOOK_AGAIN = 5.0


@dataclass(frozen=True, slots=True)
class StampedFile:
    """A file and when it was changed: another state of it is another value."""

    path: str
    changed: int

    @classmethod
    def of(cls, path: str) -> "StampedFile":
        """Raise CertificateProblemError if it can't be read."""
        try:
            return cls(path, os.stat(path).st_mtime_ns)
        except OSError as error:
            raise CertificateProblemError(f"{path}: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """What we show ourselves."""

    certificate: StampedFile
    key: StampedFile


@dataclass(frozen=True, slots=True)
class TlsRules:
    """Authorities to believe beside the machine's own, what we show, whether we look at all."""

    authorities: tuple[StampedFile, ...] = ()
    clients: tuple[ClientCertificate, ...] = ()
    verify: bool = True


DEFAULT_RULES = TlsRules()


def context(rules: TlsRules) -> ssl.SSLContext:
    """Build what connections are made with. Raise CertificateProblemError naming a bad file."""
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.hostname_checks_common_name = False  # as Go: names stand in the SAN or nowhere
    if not rules.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    for authority in rules.authorities:
        try:
            made.load_verify_locations(cafile=authority.path)
        except (OSError, ssl.SSLError) as error:
            raise CertificateProblemError(
                f"{authority.path} is no certificate in PEM form: {error}"
            ) from error
    for client in rules.clients:
        try:
            made.load_cert_chain(client.certificate.path, client.key.path)
        except (OSError, ssl.SSLError) as error:
            raise CertificateProblemError(
                f"{client.certificate.path} and {client.key.path} are no certificate with its "
                f"key in PEM form: {error}"
            ) from error
    return made


def explain(error: ssl.SSLError, host: str, port: int, rules: TlsRules) -> str:
    """Say in a sentence why TLS with ``host`` failed and what would help."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        reason = (error.reason or str(error)).lower().replace("_", " ")
        return f"tls: {reason}"
    code = error.verify_code
    if code in _NAME_MISMATCH:
        return _explain_names(host, port, rules)
    if code in _UNKNOWN_AUTHORITY:
        return (
            f"x509: certificate of {host} signed by unknown authority "
            f"({error.verify_message}): if you trust it, put the authority's certificate into "
            f"/etc/docker/certs.d/{host}:{port}/ca.crt"
        )
    if code in _OUT_OF_DATE:
        return (
            f"x509: certificate of {host} has expired or is not yet valid: {error.verify_message}"
        )
    return f"x509: certificate of {host} is not acceptable: {error.verify_message}"


def _explain_names(host: str, port: int, rules: TlsRules) -> str:
    names = _names(host, port, rules)
    if names is None:
        return f"x509: certificate is not valid for {host}"
    if not names:
        return (
            f"x509: certificate of {host} has no subject alternative names (SAN); the Common Name "
            f"does not count: make it again with SAN {_wanted(host)}"
        )
    return (
        f"x509: certificate is valid for {', '.join(names)}, not {host}: "
        f"make it again with SAN {_wanted(host)}"
    )


def _wanted(host: str) -> str:
    with contextlib.suppress(OSError):
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
        return f"IP:{host}"
    return f"DNS:{host}"


def _names(host: str, port: int, rules: TlsRules) -> list[str] | None:
    """Look at the certificate again without comparing names; the chain is verified as before."""
    looking = context(rules)
    looking.check_hostname = False
    try:
        with (
            socket.create_connection((host, port), _LOOK_AGAIN) as plain,
            looking.wrap_socket(plain, server_hostname=host) as connection,
        ):
            certificate = connection.getpeercert() or {}
    except OSError:
        return None
    return [str(name[1]) for name in certificate.get("subjectAltName", ())]
