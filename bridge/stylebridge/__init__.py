"""The thin side of Stylebridge: importable in any host, needs pyzmq and msgpack and nothing else."""

__version__ = "0.1.0"
