"""Looking for trouble: small worlds point by point, large worlds by chance, lasting trouble by the hour.

A factory of stores enters; a report of the coverage leaves, or a `BrokenInvariantError` with the line to replay.
"""
