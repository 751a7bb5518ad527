"""TLS as the client of a target. Imported when there is one that wants it."""

import ssl

from boxship.runtime.logs.words import reason


def client_context(
    *, ca: str = "", certificate: str = "", key: str = "", verify: bool = True
) -> ssl.SSLContext:
    """Return a context that trusts ``ca`` (a file; the machine's authorities without it).

    ``certificate`` and ``key`` are files as well. Raise OSError that names the file.
    """
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except OSError as error:
        raise OSError(f"cannot read the CA {ca}: {reason(error)}") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate or key:
        try:
            context.load_cert_chain(certificate, key or None)
        except OSError as error:
            raise OSError(
                f"cannot read the certificate {certificate} with {key}: {reason(error)}"
            ) from error
    return context
