"""Looking for trouble: small worlds point by point, large ones by chance, lasting ones by the hour.

A factory of stores enters; a report of what was covered leaves, or a `BrokenInvariantError` with the line to replay.
"""
