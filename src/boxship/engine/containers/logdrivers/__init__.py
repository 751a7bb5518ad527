"""The log drivers there are and the options they take; pure.

``table.py`` is the table: a row per driver, an entry per option with the check of its value.
``checking.py`` asks it about a driver and options that somebody wants, ``tags.py`` and
``attributes.py`` make of a container what its log entries carry. How output is delivered is none
of its business: that is ``runtime/logs/``.

Start reading in ``table.py``.
"""
