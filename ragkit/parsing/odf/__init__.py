"""OpenDocument: text, slides and sheets."""
