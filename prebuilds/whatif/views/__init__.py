"""How results show themselves: as rows, tables and charts, with intervals, and with progress while they are worked out.

Rows enter; data frames, HTML and altair charts leave. pandas and altair are imported when they are asked for.
"""
