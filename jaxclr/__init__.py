"""Semi-supervised domain generalization in JAX."""
