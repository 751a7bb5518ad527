"""Whether a container may be created as asked for, in Docker's words.

Each module checks one part and raises InvalidArgumentError (or NotImplementedYetError for what only
Docker can do yet); none changes anything or looks at other containers. Refuses to know how a wish
is carried out. Start reading at ``request.py``.
"""
