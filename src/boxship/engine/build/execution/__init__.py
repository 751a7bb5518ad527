"""Programs of a build's steps: each in a shim of its own, over a snapshot that becomes a layer.

What a step may and sees is decided where it is for containers: it is a record of a container that
no database has (``record.py``), and whatever it leaves when the daemon is killed looks like
what is left of a container without record, which the next daemon removes. Begin with
``../executing.py``.
"""
