"""Watch a language model learn: prompts and trajectories across Pythia's training checkpoints."""

__version__ = "0.1.0"
