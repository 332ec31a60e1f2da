"""The step, and what carries it through a run."""
