"""What lives here: all that notebooks import: `check`, models and data, comparisons and plots.
It works on Linux, macOS and Windows.

What must not be known here: how a submission is graded, what a hidden test asks.
"""

from autograder.lab.checking import check
from autograder.lab.datasets import TrainedLayer, find_datasets, load_layer
from autograder.lab.evaluation import accuracy, compare, get_model_size
from autograder.lab.experiments import log_experiment, read_experiments
from autograder.lab.models import batches, load_batches, load_model, load_tokenizer
from autograder.lab.plots.basic import plot_channel_ranges, plot_errors, plot_histograms, plot_staircase, plot_sweep
from autograder.lab.plots.calibration import (
    plot_budgets,
    plot_kl_curve,
    plot_progressive,
    plot_sensitivity,
    plot_thresholds,
)
from autograder.lab.plots.checkpoint import folder_bytes, peak_memory_mb, plot_bits, plot_memory
from autograder.lab.plots.comparison import plot_comparison
from autograder.lab.plots.dynamic import plot_token_ranges
from autograder.lab.plots.methods import plot_channel_peaks, plot_methods, plot_strengths
from autograder.lab.plots.static import plot_input_ranges, plot_progress
from autograder.lab.rescaling.column_blocks import with_uneven_channels
from autograder.runtime.kit.checkpoint import discard, large_checkpoint

__all__ = [
    "TrainedLayer",
    "accuracy",
    "batches",
    "check",
    "compare",
    "discard",
    "find_datasets",
    "folder_bytes",
    "get_model_size",
    "large_checkpoint",
    "load_batches",
    "load_layer",
    "load_model",
    "load_tokenizer",
    "log_experiment",
    "peak_memory_mb",
    "plot_bits",
    "plot_budgets",
    "plot_channel_peaks",
    "plot_channel_ranges",
    "plot_comparison",
    "plot_errors",
    "plot_histograms",
    "plot_input_ranges",
    "plot_kl_curve",
    "plot_memory",
    "plot_methods",
    "plot_progress",
    "plot_progressive",
    "plot_sensitivity",
    "plot_staircase",
    "plot_strengths",
    "plot_sweep",
    "plot_thresholds",
    "plot_token_ranges",
    "read_experiments",
    "with_uneven_channels",
]
