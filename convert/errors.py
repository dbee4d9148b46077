"""The exception of the conversion."""


class ConvertError(Exception):
    """A step that cannot be done; the message says what was given, what was expected and what to do."""
