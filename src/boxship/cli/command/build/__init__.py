"""``boxship build``, under all of its names, and the shell in a step that failed.

What a build is asked and how is in ``boxship.cli.building``, which knows no verbs.
Start reading in ``build.py``.
"""
