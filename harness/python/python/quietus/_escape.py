"""Text of agents made harmless for a terminal.

What an agent prints and how it names its files is hostile: it may clear the screen, reorder the
line or hide in it. Quietus escapes what it prints for people; what is read from its JSON is the
exact text, and goes through here before anybody sees it.
"""

import unicodedata

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# They act like control codes, or cannot be seen, but are letters, marks or unassigned in Unicode.
_UNSEEN = frozenset(
    [0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xE0000, 0xE1000)]
)
# Controls, formats (bidi, zero width), lone surrogates, separators of lines and paragraphs.
_HAZARDS = frozenset(["Cc", "Cf", "Cs", "Zl", "Zp"])


def escape(text: str) -> str:
    """The text on one line, with every character that acts or cannot be seen spelled out."""
    return text if text.isascii() and text.isprintable() else "".join(map(_escaped, text))


def escape_lines(text: str) -> str:
    """The same for text that may have lines: its newlines stay."""
    return "\n".join(map(escape, text.split("\n")))


def _escaped(character: str) -> str:
    code = ord(character)
    if code not in _UNSEEN and unicodedata.category(character) not in _HAZARDS:
        return character
    short = _SHORT.get(character)
    if short is not None:
        return short
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}"
