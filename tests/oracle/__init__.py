"""A third semantics: a slow, plain interpreter of the syntax tree, and random programs to compare with it."""
