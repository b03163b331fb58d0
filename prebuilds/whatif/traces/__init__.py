"""Past claims and lead times, for the other rooms.

CSV files, instants and durations enter; a `Trace` of exact ticks and a `LeadTime` leave. Generators make random traces
from a seed. Nothing here knows about pools.
"""
