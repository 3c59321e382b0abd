"""The methods that wait, with their documentation: the single source of those for asyncio and those for threads.

`bindings/python/generate_sync.py` writes `libswarm/_api` from it. How to wait is defined by the classes that inherit these.
"""
