"""The typed core: terms, systems, states, traces and edits."""
