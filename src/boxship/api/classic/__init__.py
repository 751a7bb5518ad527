"""The classic door of builds: ``POST /build`` as it was before BuildKit.

It makes a request of the query (``request.py``), takes the context in, and turns what the builder
tells into the classic stream (``progress.py``). It knows nothing of how a build is done. Start in
``door.py``. All of it is loaded when the first build comes.
"""
