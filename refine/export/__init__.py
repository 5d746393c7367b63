"""Exports: systems in the words of other tools."""
