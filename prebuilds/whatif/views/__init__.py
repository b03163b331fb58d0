"""How results are shown: rows, tables, charts, confidence intervals, and progress bars.

Rows enter; data frames, HTML and altair charts leave. pandas and altair are imported only when they are needed.
"""
