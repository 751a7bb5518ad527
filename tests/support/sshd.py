"""A login on this machine through the real ssh and the real sshd, without a port.

`ssh there …` starts `sshd -i` (one connection, on its standard input) as its way to the host. It
wants a user `sshd` and `/run/sshd`, which a machine that serves no logins lacks: it gets them in a
mount namespace of its own.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from support.programs import required

HOST = "there"


class SshHost:
    """Keys, configurations and an `ssh` for PATH below `home`. What is run there sees `there`."""

    def __init__(self, home: Path, there: Mapping[str, str]) -> None:
        self.home = home
        sshd, _ = required("sshd"), required("ssh")
        home.mkdir()
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)]
            subprocess.run(command, check=True)
        passwd = Path("/etc/passwd").read_text() + "sshd:x:65533:65534::/run/sshd:/bin/false\n"
        (home / "passwd").write_text(passwd)
        variables = " ".join(f'"{name}={value}"' for name, value in there.items())
        (home / "sshd_config").write_text(
            f"HostKey {home}/host\nAuthorizedKeysFile {home}/user.pub\nStrictModes no\n"
            f"UsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nSetEnv {variables}\n"
        )
        (home / "serve").write_text(
            "#!/bin/sh\nset -e\n"
            f"mount --bind {home}/passwd /etc/passwd\nmount -t tmpfs none /run\nmkdir /run/sshd\n"
            f"exec {sshd} -i -e -f {home}/sshd_config 2>>{home}/sshd.log\n"
        )
        public = (home / "host.pub").read_text()
        (home / "known_hosts").write_text(f"{HOST} {public}")
        (home / "ssh_config").write_text(
            f"Host *\n  User root\n  IdentityFile {home}/user\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {home}/known_hosts\n  BatchMode yes\n"
            f"Host {HOST}\n  ProxyCommand unshare --mount /bin/sh {home}/serve\n"
        )
        (home / "bin").mkdir()
        program = home / "bin/ssh"
        program.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {home}/ssh_config "$@"\n')
        program.chmod(0o755)

    @property
    def path(self) -> str:
        """PATH with our `ssh` first."""
        return f"{self.home}/bin:{os.environ['PATH']}"
