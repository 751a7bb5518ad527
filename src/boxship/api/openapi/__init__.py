"""The API's own description, as OpenAPI: what ``GET /openapi.json`` answers.

An operation for each route, in a file for each that ``boxship.api.endpoints`` has; shapes are those
of ``boxship.wire``, so that nothing is said twice. Loaded when somebody asks, not at start-up. That
every route is described, with the parameters and the body that its endpoint reads, is held by
``tests/architecture/test_openapi.py``. Start reading at ``operation.py``.
"""
