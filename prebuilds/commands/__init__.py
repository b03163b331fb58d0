"""The commands of `python -m prebuilds`, one module each: `add_parser` declares its arguments, `run` does the work.

This is the edge of the library: only here does it use the terminal and the system clock.
"""
