"""PDF: lines with their places, made into paragraphs, tables and headings."""
