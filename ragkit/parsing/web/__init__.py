"""Web pages: what of them is content, and its text."""
