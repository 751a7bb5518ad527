"""Verbs about the daemon and about objects of any kind: ``info``, ``version``, ``events``,
``inspect``.

Start reading in ``version.py``.
"""
