"""Backbones: frozen settings that build flax.nnx modules."""
