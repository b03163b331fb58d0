"""Why a claim found nothing ready: the facts first, and sentences made from them.

The event log of one pool enters; a `Miss` for each missed claim leaves.
"""
