"""RTF, read in one pass over its groups and control words."""
