"""The front door for a host: everything over one store and one builder, and the loop in threads.

Stores and builders enter. What leaves is wired together, and each part works alone too.
"""
