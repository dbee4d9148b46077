"""The embedded base from random weights: tokenizer, training and scaling curves."""
