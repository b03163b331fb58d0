"""Snapshots and plans as JSON documents.

A path, an open file or a parsed document enters; models leave, or every problem with its place. cattrs is imported here
and nowhere else, when a document is first read or written.
"""
