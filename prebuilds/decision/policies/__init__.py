"""Policies: what the original does not decide, all of it off unless a policy or a preset asks for it.

`policy` stands below the models and may import only `fields`. The others hold the rules, and may import all but plans.
"""
