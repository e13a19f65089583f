"""Where checkpoints come from: folders, and the Hugging Face Hub."""
