"""Names for addresses."""

from __future__ import annotations


def slug(text: str) -> str:
    """Small letters and digits, everything else one dash."""
    letters = []
    for letter in text.lower():
        if letter.isascii() and letter.isalnum():
            letters.append(letter)
        elif letters and letters[-1] != "-":
            letters.append("-")
    return "".join(letters).rstrip("-")
