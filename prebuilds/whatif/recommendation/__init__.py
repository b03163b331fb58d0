"""How many prebuilds to keep, and when, to reach a hit rate.

A trace, a lead time and a hit rate enter; a `Recommendation` of a base count and schedules leaves. Its report is
measured on days that were held out.
"""
