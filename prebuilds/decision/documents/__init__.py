"""Snapshots and plans as JSON documents.

A path, an open file or a parsed document comes in; models go out, or every problem with its place. cattrs is imported
only here, when a document is first read or written.
"""
