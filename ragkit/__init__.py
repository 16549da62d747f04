"""Semantic search and cited answers over your own documents."""
