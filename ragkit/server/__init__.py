"""The server: the inference API over one's own documents, and a page to use it from.

Needs the extra `server`. Nothing here knows more of ragkit than `Index` and its results.
"""
