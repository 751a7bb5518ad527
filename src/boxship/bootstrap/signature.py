"""Who signed a release. Only what gpgv gives back as signed is ever read.

gpgv comes with every apt and with every gnupg. An OpenPGP parser of our own was rejected: where a
program decides what to trust, the one that distributions themselves rely on is the one to use.
"""

import os
import shutil
import subprocess
import tempfile
from importlib.resources import as_file, files

from boxship.bootstrap.distributions import Distribution
from boxship.bootstrap.errors import BadSignatureError


def signed_text(document: bytes, distribution: Distribution, what: str, keyring: str = "") -> str:
    """Return the text of a clear-signed document. Raise BadSignatureError.

    The keys are those of ``keyring``, of the distribution's own package on this machine, or the
    ones that come with Boxship, in this order.
    """
    program = shutil.which("gpgv")
    if program is None:
        raise BadSignatureError(
            "gpgv is needed to check the mirror's signatures: install gpgv or gnupg"
        )
    if keyring:
        try:
            os.close(os.open(keyring, os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise BadSignatureError(f"cannot read the keys of {keyring}: {reason}") from error
        return _verify(program, document, keyring, what)
    if os.path.exists(distribution.keyring):
        return _verify(program, document, distribution.keyring, what)
    with as_file(files("boxship.bootstrap") / "keys" / f"{distribution.name}.gpg") as path:
        return _verify(program, document, str(path), what)


def _verify(program: str, document: bytes, keyring: str, what: str) -> str:
    with tempfile.TemporaryDirectory(prefix="boxship-gpgv-") as home:
        command = [program, "--homedir", home, "--keyring", os.path.abspath(keyring)]
        done = subprocess.run(
            [*command, "--output", "-", "-"], input=document, capture_output=True, check=False
        )
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().split("\n")
        reason = lines[-1].removeprefix("gpgv: ")
        raise BadSignatureError(f"{what} is not signed by a key of {keyring}: {reason}")
    return done.stdout.decode("utf-8", "replace")
