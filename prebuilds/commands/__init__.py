"""The commands of `python -m prebuilds`, a module each: `add_parser` says how it is called, `run` answers it.

This is the edge of the library: files, the clock and the terminal are touched here and nowhere below.
"""
