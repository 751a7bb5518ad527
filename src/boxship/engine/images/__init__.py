"""Images as people use them: load, save, import, tag, list, inspect, remove.

Records and names are kept in the engine's database, layers and configs in ``boxship.storage``;
this package ties the two together and says when a layer may go. Refuses to know HTTP, API versions
and what a container is, beyond "somebody uses this image" (``users.py``). Start reading at
``service.py``.
"""
