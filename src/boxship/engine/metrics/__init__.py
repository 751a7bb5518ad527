"""What is measured of the engine and of its containers, gathered when somebody asks.

What is counted where it happens is in ``engine/measures.py``; here are the numbers that are there
anyhow: the containers' own counters, of their cgroups and interfaces, and how many there are.
"""
