"""Certificates made on the spot: an authority, servers and clients signed by it."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)
_USAGES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority that lives in a directory: `ca.crt` and what it issued."""

    def __init__(self, directory: Path, name: str = "Boxship test authority") -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        built = _builder(self._name, self._name, self._key.public_key())
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True,
            content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        self._root = built.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.certificate = directory / "ca.crt"
        self.certificate.write_bytes(self._root.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, common_name: str, *alternatives: str, days: int = 1, since: int = -3, usage: str = ""
    ) -> Issued:
        """A certificate for names and addresses; without alternatives it has no SAN at all.

        It is valid from `since` to `days` days from now. `usage` is "server" or "client", if it is
        to be good for nothing else.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        built = _builder(subject, self._name, key.public_key(), days, since)
        if alternatives:
            names = x509.SubjectAlternativeName([_general_name(text) for text in alternatives])
            built = built.add_extension(names, critical=False)
        if usage:
            extended = x509.ExtendedKeyUsage([_USAGES[usage]])
            built = built.add_extension(extended, critical=True)
        certificate = built.sign(self._key, hashes.SHA256())
        issued = Issued(
            self._directory / f"{common_name}.crt", self._directory / f"{common_name}.key"
        )
        issued.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return issued


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    days: int = 1,
    since: int = -3,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + since * _DAY)
        .not_valid_after(now + days * _DAY)
    )
