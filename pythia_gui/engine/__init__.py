"""What a checkpoint says about a prompt; the only layer that computes with torch."""
