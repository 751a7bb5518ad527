"""The verbs, one file each, by the noun they belong to.

A module here declares ``COMMAND`` (usage, flags, arity, function) and nothing that costs time when
imported. Its name and summary stand in ``boxship.cli.catalog``.

Start reading in ``container/ps.py`` for a listing, ``container/kill.py`` for a plain request.
"""
