"""Instructions of a rule, each encoded as an attribute NFTA_LIST_ELEM of NFTA_RULE_EXPRESSIONS.

A rule is a program: instructions load into registers, compare them, look them up, and the first
comparison that fails ends the rule. ``nft --debug=netlink`` prints rules in the same words.
Addresses, ports and numbers of protocols are in network order in registers; what the kernel itself
computes (marks, states, address types) is in the machine's.
"""

import struct

from boxship.net.netlink.codec import U32, attribute, be16, be32, nested, text, u8
from boxship.net.nftables import numbers
from boxship.net.nftables.numbers import Code, Family, MetaKey, Register

_LINK_HEADER, _NETWORK_HEADER, _TRANSPORT_HEADER = 0, 1, 2
_EQUAL, _NOT_EQUAL = 0, 1
_INVERTED = 1
_INTERNET_CHECKSUM = 1
_TCP_RESET, _ICMPX_UNREACHABLE, _ADMINISTRATIVELY_PROHIBITED = 1, 2, 3
_XT_STATE = struct.Struct("=146xHHH16x")
_SOURCE_NAT, _DESTINATION_NAT = 0, 1


def expression(name: str, *attributes: bytes) -> bytes:
    """Return an instruction: its name, and attributes of its own."""
    return nested(1, text(1, name), nested(2, *attributes))


def value(kind: int, data: bytes) -> bytes:
    """Return an attribute that holds data of a register (NFTA_DATA_VALUE)."""
    return nested(kind, attribute(1, data))


def verdict(kind: int, code: Code, chain: str = "") -> bytes:
    """Return an attribute that holds a verdict (NFTA_DATA_VERDICT)."""
    target = text(2, chain) if chain else b""
    return nested(kind, nested(2, be32(1, code & 0xFFFFFFFF), target))


def meta(key: MetaKey, register: int = Register.FIRST) -> bytes:
    """Load what the kernel knows about the packet beside its bytes."""
    return expression("meta", be32(2, key), be32(1, register))


def link_header(offset: int, length: int, register: int = Register.FIRST) -> bytes:
    """Load bytes of the Ethernet header."""
    return _payload(_LINK_HEADER, offset, length, register)


def network_header(offset: int, length: int, register: int = Register.FIRST) -> bytes:
    """Load bytes of the header of IPv4, IPv6 or ARP."""
    return _payload(_NETWORK_HEADER, offset, length, register)


def transport_header(offset: int, length: int, register: int = Register.FIRST) -> bytes:
    """Load bytes of the header above IP; of a fragment without one the rule ends."""
    return _payload(_TRANSPORT_HEADER, offset, length, register)


def _payload(base: int, offset: int, length: int, register: int) -> bytes:
    return expression("payload", be32(1, register), be32(2, base), be32(3, offset), be32(4, length))


def write_transport_header(
    offset: int, length: int, checksum_at: int, register: int = Register.FIRST
) -> bytes:
    """Overwrite bytes of the header above IP from a register, and mend its checksum.

    ``checksum_at`` is the checksum's offset: 16 in TCP, 6 in UDP.
    """
    return expression(
        "payload",
        be32(5, register), be32(2, _TRANSPORT_HEADER), be32(3, offset), be32(4, length),
        be32(6, _INTERNET_CHECKSUM), be32(7, checksum_at), be32(8, 0),
    )  # fmt: skip


def conntrack(key: int, register: int = Register.FIRST) -> bytes:
    """Load what connection tracking knows: ``numbers.CT_*``."""
    return expression("ct", be32(2, key), be32(1, register))


def xtables_state(states: int) -> bytes:
    """End the rule unless the connection's state is one of ``states``, as iptables has it.

    ``iptables -L`` refuses a whole table in which one rule says it in nf_tables' own way. The match
    is xt_conntrack, revision 3 (linux/netfilter/xt_conntrack.h), with XT_CONNTRACK_STATE alone.
    """
    rule = _XT_STATE.pack(1, 0, states)
    return expression("match", text(1, "conntrack"), be32(2, 3), attribute(3, rule))


def fib_type_of_destination(register: int = Register.FIRST) -> bytes:
    """Load the type of the route to the packet's destination (RTN_*)."""
    return expression(
        "fib",
        be32(1, register),
        be32(2, numbers.FIB_RESULT_ADDRTYPE),
        be32(3, numbers.FIB_FLAG_DADDR),
    )


def equal(data: bytes, register: int = Register.FIRST) -> bytes:
    """End the rule unless the register holds ``data``."""
    return expression("cmp", be32(1, register), be32(2, _EQUAL), value(3, data))


def unequal(data: bytes, register: int = Register.FIRST) -> bytes:
    """End the rule if the register holds ``data``."""
    return expression("cmp", be32(1, register), be32(2, _NOT_EQUAL), value(3, data))


def masked(mask: bytes, register: int = Register.FIRST) -> bytes:
    """Keep the bits of ``mask`` in the register."""
    return expression(
        "bitwise",
        be32(1, register),
        be32(2, register),
        be32(3, len(mask)),
        value(4, mask),
        value(5, bytes(len(mask))),
    )


def any_of(bits: int, register: int = Register.FIRST) -> bytes:
    """End the rule unless one of ``bits`` is set in a register of 4 bytes, machine order."""
    return masked(U32.pack(bits), register) + unequal(bytes(4), register)


def in_set(name: str, register: int = Register.FIRST) -> bytes:
    """End the rule unless the set has what begins at the register."""
    return expression("lookup", text(1, name), be32(2, register))


def not_in_set(name: str, register: int = Register.FIRST) -> bytes:
    """End the rule if the set has what begins at the register."""
    return expression("lookup", text(1, name), be32(2, register), be32(5, _INVERTED))


def mapped(name: str, register: int = Register.FIRST, into: int = Register.FIRST) -> bytes:
    """Load what the map has for the register; into VERDICT it is obeyed. Absent: end the rule."""
    return expression("lookup", text(1, name), be32(2, register), be32(3, into))


def loaded(data: bytes, register: int = Register.FIRST) -> bytes:
    """Load a constant."""
    return expression("immediate", be32(1, register), value(2, data))


def decide(code: Code, chain: str = "") -> bytes:
    """Give the verdict; ``chain`` is where JUMP and GOTO lead."""
    return expression("immediate", be32(1, Register.VERDICT), verdict(2, code, chain))


def counter() -> bytes:
    """Count packets and bytes that come this far."""
    return expression("counter")


def masquerade() -> bytes:
    """Set the source to the address of the interface that the packet leaves by."""
    return expression("masq")


def source_nat(family: Family, address: int = Register.FIRST) -> bytes:
    """Set the source to the address in a register."""
    return expression("nat", be32(1, _SOURCE_NAT), be32(2, family), be32(3, address))


def destination_nat(
    family: Family, address: int = Register.FIRST, port: int | None = None
) -> bytes:
    """Set the destination to the address in a register, and the port to that in another."""
    return expression(
        "nat",
        be32(1, _DESTINATION_NAT),
        be32(2, family),
        be32(3, address),
        be32(5, port) if port is not None else b"",
    )


def reject() -> bytes:
    """Refuse with an ICMP or ICMPv6 message "administratively prohibited"."""
    return expression("reject", be32(1, _ICMPX_UNREACHABLE), u8(2, _ADMINISTRATIVELY_PROHIBITED))


def reset() -> bytes:
    """Refuse with a TCP reset; for packets of TCP alone."""
    return expression("reject", be32(1, _TCP_RESET))


def log_to_group(group: int, prefix: str, length: int) -> bytes:
    """Send the packet's first ``length`` bytes to who listens to an NFLOG group."""
    return expression("log", be16(1, group), text(2, prefix), be32(3, length), be16(4, 1))
