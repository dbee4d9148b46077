"""Training: fine-tuning a base model on questions and answers, pre-training the embedded base, evaluation."""

from data import moved

moved.install()
