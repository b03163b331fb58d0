"""Trouble on a real PostgreSQL, while users claim and the loop creates: what is lost, doubled or slow afterwards.

`python -m chaos` goes through every scenario, `python -m chaos restart` through one. Users claim again and again in two
processes, and two others have a loop and a builder each, of which one has the lease. What must hold in the end:

- Every claim that was answered with a workspace has it, no two claims have the same one, and no user has one that no
  claim was answered with.
- The pools are at their targets, never were above them, and nothing is under way any more.
- Claims and creates are as fast as before within 10 s after the trouble.
"""
