"""What the functional tests and the client scenarios share; tests/functional/conftest.py is the guide to it."""
