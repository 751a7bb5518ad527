"""A build as a person watches it: ``--progress plain``, ``tty``, ``rawjson``, ``quiet``.

``trace.py`` keeps what is known of each step; a display makes text of it. Displays are fed with
updates and moments and write to a stream; none of them asks the clock or the builder itself.
"""
