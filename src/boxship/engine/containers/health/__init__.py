"""Health checks: is what runs in a container also working?

``state.py`` says what a result means, ``settings.py`` reads what is asked for; both pure.
``native.py`` probes by a connection from the container's network, for which nothing need be in the
image. It knows no containers: whose turn it is, and probes by a command, are ``probing.py``'s and
``execprobe.py``'s above it.
"""
