"""Go's text/template language, as ``--format`` and tags of logs speak it.

Text goes through ``lexer.py`` (tokens), ``parser.py`` (nodes) and ``evaluator.py`` (text out);
``functions.py`` holds the built-in functions and Docker's own, ``printf.py`` Go's formatting verbs.
It refuses to know what the data means: values are plain Python ones, and ``values.py`` says how
Go would print and compare them.

Start reading in ``template.py``.
"""
