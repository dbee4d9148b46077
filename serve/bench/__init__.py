"""Benchmarks of the engine and of `/infer`, with random models and peer servers."""
