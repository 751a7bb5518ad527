"""``boxship buildx``: verbs of the builder that the engine has. There is no other one.

Each speaks BuildKit's API by ``boxship.client.buildkit.builder``, so they work with Docker's engine
as well. Start reading in ``du.py``.
"""
