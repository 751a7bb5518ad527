"""Verbs on containers: ``boxship container VERB``, most of them also as ``boxship VERB``.

``create.py`` and ``run.py`` share the flag table of ``flags.py`` and the request built in
``request.py``; everything that holds a terminal goes through ``boxship.cli.streams``.
"""
