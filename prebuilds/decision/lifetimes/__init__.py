"""How long prebuilds and starts may live: deadlines (R14), victims (R15), own ttls and refreshing ahead (R16).

Pure rules about rows. `presets` splits a preset's rows with them, and `next_change` finds when they next apply.
"""
