"""What a build does, as a graph: operations, their content-addressed cache keys, their order.

Pure: it decides what has to be done and what is done already, and knows neither Dockerfiles nor
containers. Start reading in ``operations.py``.
"""
