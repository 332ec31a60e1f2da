"""From files to batches, in numpy, Pillow and Grain."""
