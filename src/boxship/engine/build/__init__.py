"""Builds: from a Dockerfile and files to images in the store, with a cache in between.

Knows no HTTP and no gRPC: the doors make a ``BuildRequest`` and a ``ClientSide`` and turn progress
events into their own stream. Nothing of it is imported before the first build. Start reading in
``service.py``; ``docs/dev/build-lifecycle.md`` walks through a build once.
"""
