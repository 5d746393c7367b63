"""The engines: from a system and a question to a verdict."""
