"""How long prebuilds and starts may live: deadlines (R14).

Pure rules about single rows. `presets` splits a preset's rows with them, and `next_change` finds when they next apply.
"""
