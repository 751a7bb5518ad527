"""What each route does: decode, one call of the backend, encode.

A file per object; every file ends with its routes, and ``table.py`` joins them. Refuses to know
sockets and HTTP framing. Start reading at ``table.py``.
"""
