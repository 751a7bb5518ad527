"""Netlink: messages as bytes, sockets, and the messages of the routing subsystem.

`codec.py` and `route.py` compute and have no effects; `sockets.py` sends batches and turns what
the kernel refuses into errors that name operation and object. Start reading at `codec.py`.
"""
