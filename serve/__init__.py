"""Serving: the inference engine on llama.cpp, the model behind it, and the HTTP service people use."""

from data import moved

moved.install()
