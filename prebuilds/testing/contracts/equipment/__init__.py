"""What all checks use: scenes, recorded stores, other threads, and words for what went wrong.

A factory of the implementation enters; a `BrokenContractError` leaves, with what was done and seen.
"""
