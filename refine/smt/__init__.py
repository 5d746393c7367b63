"""Solver terms: what a core system does, by asking a solver."""
