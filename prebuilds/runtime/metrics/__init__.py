"""Metrics of a store for Prometheus, read in the background.

A store enters. Readings leave, and a collector for prometheus-client, which is imported on first use.
"""
