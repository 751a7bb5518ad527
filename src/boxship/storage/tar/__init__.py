"""Tar archives as streams: entries with their exact framing bytes, and deterministic writing.

Understands what ``docker save``, GNU tar, BSD tar, busybox and Python write: v7, ustar, GNU and pax
headers, sparse files. Refuses to know file systems. Start reading at ``reader.py``.
"""
