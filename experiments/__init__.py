"""Experiments: one run or one row of a table per file."""
