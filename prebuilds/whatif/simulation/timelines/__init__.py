"""Counts over time: how many prebuilds were there at each instant, as rows and as a chart.

Event logs enter. Timelines leave.
"""
