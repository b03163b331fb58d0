"""Breaks one rule each, so that the contract's checks must find it: stores, pubsubs, and methods of transactions."""
