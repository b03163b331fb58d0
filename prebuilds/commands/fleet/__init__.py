"""What commands do with fleets and stores: read, check, open, fill and show them.

Files and addresses enter; presets, stores and lines of text leave.
"""
