"""Characters of symbol fonts in Word files: what a place in the font shows."""

from __future__ import annotations

# By font and place in it; files may add F000 to a place (ECMA-376, 17.3.3.30).
_SYMBOLS = {
    **{("wingdings", code): "☐" for code in (0x6F, 0x70, 0x71, 0xA8)},
    **{("wingdings", code): "☑" for code in (0xFE, 0x52)},
    **{("wingdings", 0xFD): "☒", ("wingdings", 0xFC): "✓", ("wingdings", 0xFB): "✗"},
    **{("wingdings", 0xE0): "→", ("wingdings", 0xDF): "←", ("wingdings", 0xE8): "→"},
    **{("wingdings", 0x4A): "☺", ("wingdings", 0x28): "☎", ("wingdings", 0x2A): "✉"},
    **{("wingdings 2", 0x50): "✓", ("wingdings 2", 0x52): "☑", ("wingdings 2", 0xA3): "☐"},
    **{("symbol", code): text for code, text in enumerate("αβχδεφγηιϕκλμνοπθρστυϖωξψζ", 0x61)},
    **{("symbol", code): text for code, text in enumerate("ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", 0x41)},
    **{("symbol", 0xA3): "≤", ("symbol", 0xB3): "≥", ("symbol", 0xB1): "±", ("symbol", 0xB4): "×"},
    **{("symbol", 0xB0): "°", ("symbol", 0xB8): "÷", ("symbol", 0xB9): "≠", ("symbol", 0xBB): "≈"},
    **{("symbol", 0xA5): "∞", ("symbol", 0xB6): "∂", ("symbol", 0xE5): "∑", ("symbol", 0xD6): "√"},
    **{("symbol", 0xAE): "→", ("symbol", 0xAC): "←", ("symbol", 0xDE): "⇒", ("symbol", 0xD7): "·"},
    **{("symbol", 0xD2): "®", ("symbol", 0xD3): "©", ("symbol", 0xD4): "™", ("symbol", 0xF2): "∫"},
}


def symbol(font: str, code: str) -> str:
    """Return the character at a hexadecimal place of a font, "" where it says nothing."""
    try:
        place = int(code, 16)
    except ValueError:
        return ""
    private = 0xF000 <= place <= 0xF0FF
    if known := _SYMBOLS.get((font.lower(), place - 0xF000 if private else place)):
        return known
    return "" if private or not 0x20 <= place <= 0xFFFF else chr(place)
