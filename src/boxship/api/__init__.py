"""The Engine API as a server: routes, decode → one call → encode, errors → status, streams.

``http`` is the server itself, ``router.py`` and ``endpoints`` the table of routes and what each
does, ``views`` turns records into the shapes of ``boxship.wire``, ``hijack.py`` gives client
connections away. Refuses to know how anything is done: whatever it calls is in ``backend.py``.
Start reading at ``application.py``.
"""
