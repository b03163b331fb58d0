"""The edge to the terminal: options, streams, signals, tables and charts.

Text of a command line enters; values leave. What is printed goes through here.
"""
