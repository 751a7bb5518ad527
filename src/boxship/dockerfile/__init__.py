"""The Dockerfile language: text to typed instructions that know where they stand.

Pure: it reads no file and knows neither images nor how an instruction is carried out. What is
wrong with a text is an error, what is unwise a warning; both name file and line. Start reading in
``instructions.py``.
"""
