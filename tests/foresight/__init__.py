"""How well targets are foreseen: policies tuned on the past of real or made claims, and measured on what came after it.

`cases` reads the claims, `policies` tunes, `scores` measures, and `tables` shows.
"""
