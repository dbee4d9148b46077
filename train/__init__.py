"""Training: fine-tuning a base model, pre-training the embedded one, and evaluating what came of it."""

from data import moved

moved.install()
