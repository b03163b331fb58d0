"""Random fleets, judged by simulating them: what harm each shows, and whether `check` finds the same.

`worlds` draws fleets, `harms` reads off a simulation what is wrong with one, and `tallies` compares that with findings.
"""
