"""Verbs on images: ``boxship image VERB``, most of them also as ``boxship VERB`` or its old name.

Start reading in ``ls.py``.
"""
