"""The pure core: frozen models go in, decisions come out. No clock, no logger, no chance and no I/O."""
