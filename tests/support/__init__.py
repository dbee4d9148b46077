"""What tests share: simulated servers, tiny models, generated files, and a second query engine."""
