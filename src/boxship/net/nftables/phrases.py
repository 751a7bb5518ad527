"""What rules commonly say, in one call each; nft's own words are in the docstrings.

Concatenations begin at the first register; each part takes whole words of 4 bytes, so an address
of IPv4 takes one, of IPv6 four, the name of an interface four.
"""

from boxship.net.netlink.codec import BE16, U32
from boxship.net.nftables import expressions as x
from boxship.net.nftables import numbers
from boxship.net.nftables.numbers import Code, Family, MetaKey, Register

ACCEPT = x.decide(Code.ACCEPT)
DROP = x.decide(Code.DROP)
RETURN = x.decide(Code.RETURN)
COUNT = x.counter()
MASQUERADE = x.masquerade()
REJECT = x.reject()
RESET = x.reset()
_SECOND = Register.SECOND
_WORDS = {Family.IPV4: 2, Family.IPV6: 8}
"""Of two addresses."""


def goto(chain: str) -> bytes:
    """``goto chain``."""
    return x.decide(Code.GOTO, chain)


def jump(chain: str) -> bytes:
    """``jump chain``."""
    return x.decide(Code.JUMP, chain)


def name_bytes(interface: str) -> bytes:
    """Return an interface's name as sets and registers have it, 16 bytes."""
    return interface.encode().ljust(16, b"\0")


def iif_is(interface: str) -> bytes:
    """``iifname "eth0"``, as iptables writes it, which reads no other form."""
    return x.meta(MetaKey.IIFNAME) + x.equal(interface.encode() + b"\0")


def oif_is(interface: str) -> bytes:
    """``oifname "eth0"``, as iptables writes it."""
    return x.meta(MetaKey.OIFNAME) + x.equal(interface.encode() + b"\0")


def iif_in(name: str) -> bytes:
    """``iifname @set``."""
    return x.meta(MetaKey.IIFNAME) + x.in_set(name)


def iif_not_in(name: str) -> bytes:
    """``iifname != @set``."""
    return x.meta(MetaKey.IIFNAME) + x.not_in_set(name)


def oif_in(name: str) -> bytes:
    """``oifname @set``."""
    return x.meta(MetaKey.OIFNAME) + x.in_set(name)


def iif_oif_in(name: str) -> bytes:
    """``iifname . oifname @set``."""
    return x.meta(MetaKey.IIFNAME) + x.meta(MetaKey.OIFNAME, _SECOND) + x.in_set(name)


def family_is(family: Family) -> bytes:
    """``meta nfproto ipv4``."""
    return x.meta(MetaKey.NFPROTO) + x.equal(bytes((family,)))


def protocol_is(name: str) -> bytes:
    """``meta l4proto tcp``."""
    return x.meta(MetaKey.L4PROTO) + x.equal(bytes((numbers.PROTOCOLS[name],)))


def ethertype_is(number: int) -> bytes:
    """``ether type ip``."""
    return x.link_header(12, 2) + x.equal(BE16.pack(number))


def destination_is_ours() -> bytes:
    """``fib daddr type local``."""
    return x.fib_type_of_destination() + x.equal(U32.pack(numbers.RTN_LOCAL))


def state_is(*states: numbers.CtState) -> bytes:
    """``ct state established,related``."""
    return x.conntrack(numbers.CT_STATE) + x.any_of(sum(states))


def translated() -> bytes:
    """``ct status dnat``."""
    return x.conntrack(numbers.CT_STATUS) + x.any_of(numbers.CT_STATUS_DNAT)


def untranslated() -> bytes:
    """``ct status ! dnat``."""
    bits = x.masked(U32.pack(numbers.CT_STATUS_DNAT))
    return x.conntrack(numbers.CT_STATUS) + bits + x.equal(bytes(4))


def loopback_destination() -> bytes:
    """``ip daddr 127.0.0.0/8``."""
    return family_is(Family.IPV4) + x.network_header(16, 1) + x.equal(b"\x7f")


def loopback_source() -> bytes:
    """``ip saddr 127.0.0.0/8``."""
    return family_is(Family.IPV4) + x.network_header(12, 1) + x.equal(b"\x7f")


def loopback_destination6() -> bytes:
    """``ip6 daddr ::1``."""
    return family_is(Family.IPV6) + x.network_header(24, 16) + x.equal(bytes(15) + b"\x01")


def oif_and_source(family: Family) -> bytes:
    """``oifname . ip saddr``, to be looked up."""
    offset, length = (12, 4) if family is Family.IPV4 else (8, 16)
    return x.meta(MetaKey.OIFNAME) + x.network_header(offset, length, _SECOND)


def flow(family: Family) -> bytes:
    """``ip saddr . ip daddr . meta l4proto . th dport``, to be looked up."""
    return _addresses(family, swapped=False) + _transport(_WORDS[family], port_at=2)


def flow_backwards(family: Family) -> bytes:
    """``ip daddr . ip saddr . meta l4proto . th sport``: the flow that this one answers."""
    return _addresses(family, swapped=True) + _transport(_WORDS[family], port_at=0)


def door(family: Family) -> bytes:
    """``ip daddr . meta l4proto . th dport``, to be looked up."""
    offset, length = (16, 4) if family is Family.IPV4 else (24, 16)
    return x.network_header(offset, length) + _transport(length // 4, port_at=2)


def port() -> bytes:
    """``meta l4proto . th dport``, to be looked up."""
    return _transport(0, port_at=2)


def _addresses(family: Family, *, swapped: bool) -> bytes:
    (source, destination), length = ((12, 16), 4) if family is Family.IPV4 else ((8, 24), 16)
    if swapped:
        source, destination = destination, source
    second = Register.WORD0 + length // 4
    return x.network_header(source, length) + x.network_header(destination, length, second)


def _transport(words: int, port_at: int) -> bytes:
    """Load protocol and port behind ``words`` that are loaded already."""
    after = Register.WORD0 + words
    return x.meta(MetaKey.L4PROTO, after) + x.transport_header(port_at, 2, after + 1)


def iif_and_link_source() -> bytes:
    """``iifname . ether saddr``, to be looked up."""
    return x.meta(MetaKey.IIFNAME) + x.link_header(6, 6, _SECOND)


def iif_and_bytes(offset: int, length: int) -> bytes:
    """``iifname .`` bytes of the network header, to be looked up."""
    return x.meta(MetaKey.IIFNAME) + x.network_header(offset, length, _SECOND)
