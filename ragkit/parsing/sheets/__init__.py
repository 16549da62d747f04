"""Workbooks: tables found on the sheets."""
