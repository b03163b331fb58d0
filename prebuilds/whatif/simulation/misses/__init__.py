"""Why a claim found nothing ready: first the facts, then words made of facts alone.

The event log of one pool enters; a `Miss` for each miss leaves.
"""
