"""From the engine's records to the shapes that go over the wire. Pure functions.

Refuses to know versions of the API (``boxship.wire.adapt`` undoes what an older one hasn't). Start
reading at ``containers.py``.
"""
