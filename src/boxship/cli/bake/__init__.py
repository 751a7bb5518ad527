"""Bake: many builds described in files (HCL, JSON, Compose), resolved to a list of targets.

Files are read to definitions, definitions merged, variables and functions evaluated, inheritance
and matrices resolved; what comes out can be printed (``--print``) and is what is built. Nothing
here speaks to an engine. Start reading in ``project.py``; the language is in ``hcl/``.
"""
