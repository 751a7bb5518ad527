"""Builds: a Dockerfile becomes a graph, its steps are carried out, the result is an image.

It uses runtime and storage directly, not containers' records: a step is a process over a snapshot.
What a client offers a build (its files, secrets, agents, credentials) is behind one interface,
whichever door it came through. Start reading in ``service.py``.
"""
