"""The engine's bus of events: publish once, deliver to every listener, remember the latest.

Refuses to know what happened beyond the event itself. Start reading at ``bus.py``.
"""
