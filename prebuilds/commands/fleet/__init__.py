"""What commands do with fleets and stores: open them, fill them, check them, and tell how they stand.

Files and addresses enter; presets, stores and lines of text leave.
"""
