"""Reads what the service left behind (JSON log, feedback store) and says whether it still does what it did."""
