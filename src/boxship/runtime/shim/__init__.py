"""The process that keeps one container: parent of its init, owner of its streams.

One thread, one epoll loop, and as little private memory as can be: it is forked from the
launcher and shares the launcher's pages as long as it does not write to them. It survives the
daemon. Refuses to know images, networks and the engine's records; how a container is built is
``boxship.runtime.process``'s affair. Start reading at ``supervisor.py``; ``main.py`` is the
entry, and the protocol with the daemon is drawn in ``boxship.runtime.messages``.
"""
