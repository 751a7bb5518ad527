"""The engine's bus of events: publish once, deliver to every listener, remember them on the disk.

Refuses to know what happened beyond the event itself. Start reading at ``bus.py``; ``archive.py``
keeps events beyond the daemon's life, in the files of ``segments.py``.
"""
