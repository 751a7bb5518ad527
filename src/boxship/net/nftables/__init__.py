"""nf_tables over netlink: what linux/netfilter/nf_tables.h describes, as far as Boxship uses it.

``expressions`` are the instructions of rules, ``phrases`` what is commonly said with them,
``objects`` tables, chains, sets, rules and elements as messages, ``transaction`` sends a batch that
is carried out whole or not at all, ``listing`` reads back, ``changes`` listens to what others do.
Knows nothing of containers or policy, and works in whichever network namespace its socket was
opened in. No library and no program is used: see ADR 51.
"""
