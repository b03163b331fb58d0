"""Past claims and lead times, as the other rooms take them.

CSV files, instants and durations enter; a `Trace` of exact ticks and a `LeadTime` leave. Generators make traces of
their own, by a seed. Nothing here knows of pools.
"""
