"""Objects of another engine that become ours: networks, volumes and containers that don't run.

``service.py`` is what is asked for; a module for each kind does it. Images come in as archives,
like any others. Who the other engine is, and how its disk looks, is not known here: what comes is
said in ``model/adoption.py``. It is loaded when somebody asks for the first time.

Each object comes whole or not at all, and keeps its id: who was interrupted asks for all of it
again, and gets what is missing.
"""
