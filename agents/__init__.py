"""Two agents answer: a retriever computes the statistics, an analyst words them.

`multi_agent.py` is the readable whole.
"""
