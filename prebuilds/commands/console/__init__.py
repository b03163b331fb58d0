"""The edge to the terminal: options, streams, signals, tables and charts.

Text from the command line enters, and values leave. All output is printed here.
"""
