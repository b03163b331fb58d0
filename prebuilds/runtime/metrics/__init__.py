"""What Prometheus is told of a store, read in the background.

A store enters; readings leave, and a collector for prometheus-client, which is imported when it is used.
"""
