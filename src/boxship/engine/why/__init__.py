"""``boxship why``: why something is as it is, and who holds it, over all kinds of objects.

``service.py`` answers; ``story.py`` puts a container's recorded past into words and is pure;
``portusers.py`` finds who has a port of the host. It writes nothing down itself: that is done where
things happen (``containers/facts.py``), and it is loaded when somebody asks for the first time.
"""
