"""Test servers of both APIs, and the demo that runs against them."""
