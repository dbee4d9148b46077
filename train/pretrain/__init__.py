"""Pre-training of the embedded base from random weights, with its tokenizer."""
