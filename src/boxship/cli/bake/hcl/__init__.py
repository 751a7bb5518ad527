"""HCL's native syntax (version 2), as far as configuration files use it.

Text to a tree (``body.py``, ``expressions.py``, ``templates.py``), tree to values
(``evaluation.py``), and the functions that bake files may call. Values are Python's: text, bool,
int or float, None, tuples and dictionaries. It knows nothing of bake. Specification:
https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md
"""
