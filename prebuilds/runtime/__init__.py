"""The loop: reads a snapshot, has it decided, and carries the decisions out, over ports that the host implements."""
