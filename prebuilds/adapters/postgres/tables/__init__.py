"""The tables in PostgreSQL: their schema by version, and a module of statements for each role of a transaction.

Models enter and leave; rows stay here.
"""
