"""gRPC over HTTP/2 without I/O: bytes in, events out, for both ends.

It knows calls, messages, metadata and statuses, and nothing of sockets, event loops or what the
messages mean. Start with ``connection.py``.
"""
