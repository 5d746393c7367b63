"""The surface language: from text to a typed core system, and back to canonical text."""
