"""Boxship as a part of a machine: its units, its programs on the PATH, its pages, and their end.

``wanted.py`` says what has to be there, ``planning.py`` what is to be done about it, and
``carrying.py`` does it. The root may be a directory that is a machine's only later. Nothing here
knows the engine, or how completion and manual pages are made: they come as texts.
"""
