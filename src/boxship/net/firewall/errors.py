"""What can go wrong between the firewall and the kernel."""

import errno

from boxship.base.errors import UnavailableError
from boxship.net.netlink.sockets import NetlinkError

_NO_MODULE = (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EINVAL)
_NEEDED = "Linux 5.7 with nf_tables (inet and bridge), nft_ct, nft_nat, nft_masq, nft_fib_inet, "
_NEEDED += "nft_reject_inet and nft_log"


class FirewallUnavailableError(UnavailableError):
    """There is no nf_tables for us; the text says what to load, install or grant.

    Containers without a bridge (``none``, ``host``) need none.
    """


def unavailable(error: OSError) -> FirewallUnavailableError:
    """Say for a person why the kernel has no firewall for us, and what to do."""
    if error.errno in (errno.EPERM, errno.EACCES):
        advice = (
            "run the daemon as root, or give it CAP_NET_ADMIN (in a container: --cap-add NET_ADMIN)"
        )
        return FirewallUnavailableError(f"no permission to change nf_tables: {advice}")
    if not isinstance(error, NetlinkError) or error.errno in _NO_MODULE:
        advice = "`modprobe nf_tables nft_nat nft_masq nft_fib_inet`; where modprobe finds no such "
        advice += "modules, install the kernel's full package (Debian: linux-image-amd64)"
        return FirewallUnavailableError(f"this kernel has no nf_tables ({error}): {advice}")
    what = f"{_NEEDED}, needed for bridges and published ports"
    return FirewallUnavailableError(f"the kernel refuses a rule ({error}): {what}")
