"""How many prebuilds to keep, and when, to reach a hit rate.

A trace, a lead time and a hit rate enter; a `Recommendation` leaves: a single size and schedules, each with a report
on days that were held out, and which of them to take.
"""
