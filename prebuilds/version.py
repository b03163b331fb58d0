"""The version of the library, which the package's metadata takes from here."""

__version__ = "0.2.0.dev0"
