"""Manual pages, made of the tables that also make ``--help``.

``roff.py`` is the language of the pages (man(7)), ``pages.py`` makes them. Pure but for loading
the verbs' modules; nothing here knows where pages are installed.
"""
