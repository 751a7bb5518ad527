"""From a Dockerfile and the configs of its base images to a graph and an image's config.

Pure: what it lacks (the config of a base image) it names, and is called again when that is known.
Start reading in ``plan.py``.
"""
