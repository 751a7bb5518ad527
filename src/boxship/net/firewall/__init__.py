"""Who may speak with whom on our bridges, as facts, and the rules that hold it.

``facts`` is what the engine says (bridges, stations, published ports, links, egress), ``ruleset``
the fixed rules, ``elements`` what each fact adds to their sets, ``firewall`` keeps the kernel in
step, one transaction per change. ``foreign`` deals with firewalls of others, ``watch`` puts back
what they take away, ``audit`` reads what egress rules report. Knows no containers. See ADR 51.
"""
