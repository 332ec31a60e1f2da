"""Methods: a labeler and a sum of terms, one paper per file."""
