"""From a LoRA adapter to a published, gated, quantised GGUF: `python -m convert --run runs/<name>`."""

from data import moved

moved.install()
