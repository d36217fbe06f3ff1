"""The commands over the registry: one module a subject. They read options, ask the book, print what it says."""
