"""`python without.py COMMAND…`: runs it on a kernel that knows no netfilter.

A seccomp filter answers socket(AF_NETLINK, …, NETLINK_NETFILTER) as such a kernel does.
"""

import errno
import os
import struct
import sys

from boxship.kernel.credentials import seccomp_set_filter

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_SOCKET = {"x86_64": 41, "aarch64": 198}
_AF_NETLINK, _NETLINK_NETFILTER = 16, 12
_NUMBER, _FIRST_ARGUMENT, _THIRD_ARGUMENT = 0, 16, 32  # offsets in struct seccomp_data


def main() -> None:
    program = [
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 0, 5, _SOCKET[os.uname().machine]),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_EQUAL, 0, 3, _AF_NETLINK),
        (_LOAD, 0, 0, _THIRD_ARGUMENT),
        (_EQUAL, 0, 1, _NETLINK_NETFILTER),
        (_RETURN, 0, 0, _ERRNO | errno.EPROTONOSUPPORT),
        (_RETURN, 0, 0, _ALLOW),
    ]
    seccomp_set_filter(b"".join(struct.pack("HBBI", *line) for line in program), 0)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
