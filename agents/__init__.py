"""Two agents answer a question: the retriever computes the statistics, the analyst words them.

`multi_agent.py` is the place to start reading.
"""
