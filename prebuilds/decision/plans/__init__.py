"""Plans: one decision for each preset, its explanation in plain words, and the difference between two plans.

A `GlobalSnapshot`, an instant and a policy come in; a `Plan` goes out.
"""
