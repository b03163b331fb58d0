"""The rules of claims: one after another, and many at once.

Each module has its `CHECKS`; `check_claims` runs them in order.
"""
