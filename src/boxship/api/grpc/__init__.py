"""gRPC over connections that were HTTP: the server of ``POST /grpc``, the client of sessions.

What is said on the wire is decided by ``boxship.wire.grpc``; here are sockets, tasks and errors.
Start with ``server.py`` (we are called) or ``client.py`` (we call).
"""
