"""The verbs of networks, a file each.

What can be said of addresses without the daemon is in ``cli/syntax/ipam.py``; all else the daemon
checks. ``map.py`` is beyond Docker. Start reading at ``create.py``.
"""
