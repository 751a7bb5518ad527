"""The verbs of volumes, a file each.

What a name or an option may be the daemon checks. ``update`` is for volumes of swarms, of which
there are none. Start reading at ``create.py``.
"""
