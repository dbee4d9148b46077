"""Names, places and dates in a question: where they stand (linker) and who or what they are (resolver)."""

from data.linking.linker import Linker
from data.linking.mention import Linked, Mention
from data.linking.resolver import Names

__all__ = ["Linked", "Linker", "Mention", "Names"]
