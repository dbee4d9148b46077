"""Deployment: the helm chart, its tests' values and golden renders, and the tools that check them."""
