"""Names inside user-defined networks: the resolver that containers find at 127.0.0.11.

One thread of the daemon serves all containers, by sockets that live in their network namespaces.
What it knows are immutable snapshots (``zones.py``); what to answer is decided without I/O
(``answering.py``); the rest is carried to servers outside (``forwarding.py``). It refuses to know
containers and networks: it gets names and addresses. Start reading at ``resolver.py``.
"""
