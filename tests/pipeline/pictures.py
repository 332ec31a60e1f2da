"""Pictures that tell what was done to them, and how far chance may stray."""

import numpy as np


def picture(height: int = 32, width: int = 32, seed: int = 0) -> np.ndarray:
    """Smooth enough to be resized, rough enough that no two windows look alike."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-4, 9, (height, width, 3))
    return np.clip(20 + steps.cumsum(axis=1) // 2 + steps.cumsum(axis=0), 0, 255).astype(np.uint8)


def noise(height: int = 32, width: int = 32, seed: int = 0) -> np.ndarray:
    """Another colour at every pixel."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def plain(red: int, green: int, blue: int, size: int = 32) -> np.ndarray:
    """One colour all over."""
    return np.full((size, size, 3), (red, green, blue), np.uint8)


def fair(count: int, trials: int, chance: float) -> bool:
    """Within four standard deviations of a binomial; just so, where chance has no say."""
    return abs(count - trials * chance) <= 4 * np.sqrt(trials * chance * (1 - chance))


def even(counts: np.ndarray) -> bool:
    """As chi-square would have it of a uniform draw: four deviations above its mean at most."""
    expected, freedom = counts.mean(), counts.size - 1
    return ((counts - expected) ** 2 / expected).sum() < freedom + 4 * np.sqrt(2 * freedom)


def uniform(draws: np.ndarray, low: float, high: float) -> bool:
    """By Kolmogorov and Smirnov's distance, which a fair draw exceeds once in a thousand."""
    draws, trials = np.sort(draws), len(draws)
    inside = low <= draws[0] and draws[-1] <= high
    distance = np.abs((draws - low) / (high - low) - (np.arange(trials) + 0.5) / trials).max()
    return inside and distance < 1.95 / np.sqrt(trials)
