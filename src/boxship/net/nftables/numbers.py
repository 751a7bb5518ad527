"""Numbers of linux/netfilter.h, nfnetlink.h and netfilter/nf_tables.h."""

from enum import IntEnum

SUBSYSTEM = 10
"""NFNL_SUBSYS_NFTABLES, the high byte of a message's kind."""


class Family(IntEnum):
    """NFPROTO_*: who sees a table's chains."""

    INET = 1
    IPV4 = 2
    BRIDGE = 7
    IPV6 = 10


class Kind(IntEnum):
    """NFT_MSG_*, with the subsystem in the high byte."""

    NEW_TABLE = 0x0A00
    GET_TABLE = 0x0A01
    DELETE_TABLE = 0x0A02
    NEW_CHAIN = 0x0A03
    GET_CHAIN = 0x0A04
    DELETE_CHAIN = 0x0A05
    NEW_RULE = 0x0A06
    GET_RULE = 0x0A07
    DELETE_RULE = 0x0A08
    NEW_SET = 0x0A09
    DELETE_SET = 0x0A0B
    NEW_ELEMENT = 0x0A0C
    GET_ELEMENT = 0x0A0D
    DELETE_ELEMENT = 0x0A0E


BATCH_BEGIN, BATCH_END = 0x10, 0x11
GROUP_NFTABLES = 7
"""Multicast group of changes (NFNLGRP_NFTABLES)."""


class Hook(IntEnum):
    """NF_INET_*; NF_BR_* has the same numbers."""

    PREROUTING = 0
    INPUT = 1
    FORWARD = 2
    OUTPUT = 3
    POSTROUTING = 4


PRIORITY_RAW, PRIORITY_DNAT, PRIORITY_FILTER, PRIORITY_SNAT = -300, -100, 0, 100


class Register(IntEnum):
    """NFT_REG_*: the verdict, four registers of 16 bytes, and the same as sixteen of 4 bytes."""

    VERDICT = 0
    FIRST = 1
    SECOND = 2
    WORD0 = 8


class Code(IntEnum):
    """Verdicts; the negative ones are NFT_*."""

    DROP = 0
    ACCEPT = 1
    JUMP = -3
    GOTO = -4
    RETURN = -5


class MetaKey(IntEnum):
    """NFT_META_*."""

    MARK = 3
    IIFNAME = 6
    OIFNAME = 7
    NFPROTO = 15
    L4PROTO = 16
    IIFKIND = 26
    OIFKIND = 27


class CtState(IntEnum):
    """Bits of ``ct state``."""

    INVALID = 1
    ESTABLISHED = 2
    RELATED = 4
    NEW = 8


CT_STATE, CT_STATUS = 0, 2
CT_STATUS_DNAT = 0x20
"""IPS_DST_NAT."""

FIB_RESULT_ADDRTYPE = 3
FIB_FLAG_DADDR = 2
RTN_LOCAL = 2

SET_INTERVAL, SET_MAP, SET_TIMEOUT, SET_CONCAT = 4, 8, 16, 128
DATA_VALUE, DATA_VERDICT = 0, 0xFFFFFF00

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132}
"""Names of protocols above IP, as nft writes them, to their numbers."""

ETHERTYPE_IPV4, ETHERTYPE_ARP, ETHERTYPE_IPV6 = 0x0800, 0x0806, 0x86DD
