"""Dataset cards: where images come from, one data set per file."""
