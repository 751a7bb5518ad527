"""Containers made by another OCI runtime, runc or crun above all, in place of our own code.

The shim stays the same: it is the parent of the container's init, has its streams and its exit
status. Only what ``process.py`` does for the built-in runtime, making the container, running
another process in it, and removing what is left, is done by calls of a program here.

Begin with ``plan.py`` (pure), then ``container.py``. It is loaded by the processes that make such
a container, never by the launcher, whose memory all shims share.
"""
