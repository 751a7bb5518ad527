"""What is unwise in a Dockerfile, as Docker's build checks name it: rules, checks, a report.

A rule is data, a check is a function from facts to findings. Nothing is fetched: what only a build
knows (a base image's environment, ``.dockerignore``) is handed in, and where it is not known the
checks that need it keep silent. Start reading in ``checking.py``.
"""
