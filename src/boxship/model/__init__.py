"""Nouns that client and engine share: what a container is asked to be, what an event says.

All are frozen. Where Docker gives a noun a JSON form (``Config``, ``HostConfig``), the struct has
those names and Docker's defaults, so that one definition serves the API, the records and the
client; what differs between API versions is adapted in ``boxship.wire`` alone. Refuses to know any
I/O. Start reading at ``container.py``.
"""
