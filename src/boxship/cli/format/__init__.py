"""What people read: tables, human sizes and durations, and the ``--format`` directive.

Everything here is pure: rows go in, text comes out.

Start reading in ``directive.py``.
"""
