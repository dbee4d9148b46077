"""The one exception of the conversion: what was given, what was expected, what to do next. The CLI prints it."""


class ConvertError(Exception):
    """A step that cannot be done; the message is one that a user can act on."""
