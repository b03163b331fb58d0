"""How many to keep, and when, for the hit rate that you want, with a report from days that were held out.

A trace, a lead time and a goal enter; a `Recommendation` of a base count and schedules leaves, with what it had on days
that it had not seen.
"""
