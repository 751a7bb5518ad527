"""The verbs of managed plugins, a file each.

What a plugin may do to the host is asked in one place, before anything is pulled
(``consenting.py``). Start reading at ``install.py``.
"""
