"""Explicit states: what a core system does, by executing it."""
