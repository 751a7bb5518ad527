"""Programs for other processors: the kernel executes them by binfmt_misc, if that is set up. Pure.

Nothing here has to be done for them to run: an emulator that is registered with the flag ``F`` is
open already, in whatever tree a program is. Without it the kernel says no more than ENOEXEC.
"""

from boxship.oci.platform import Platform

_REFUSED = "exec format error"


def with_hint(message: str, platform: Platform | None, host: Platform) -> str:
    """Say what is missing where the kernel doesn't know a program's format.

    ``platform`` is what the step's stage is for, if that is known.
    """
    if _REFUSED not in message:
        return message
    if platform is None or (platform.os, platform.architecture) == (host.os, host.architecture):
        return f"{message}: it is no program for {host}, and no script that begins with #!"
    return (
        f"{message}: this machine is {host} and has no emulator for {platform}: register one with "
        "binfmt_misc (Debian: apt install qemu-user-static; or docker run --privileged --rm "
        f"tonistiigi/binfmt --install {platform.architecture})"
    )
