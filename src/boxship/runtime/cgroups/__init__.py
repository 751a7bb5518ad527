"""Control groups: version 1, version 2, and both at once (hybrid).

``layout.py`` finds out what the machine has; ``v1.py`` and ``v2.py`` turn limits into the files'
own language (pure); ``plan.py`` makes a ``CgroupPlan`` of the two. ``tree.py`` creates, fills and
removes directories; ``control.py`` pauses, lists and kills what is inside.

Refuses to know what a container is. Used by the shim, and by the engine for pause, top, update.
"""
