"""Says what is wrong with a machine or an installation, and the one line that mends each thing.

Standard library only, and nothing of `xinghe`: this must run before anything is installed, as
`python3 src/xinghe/doctor`, and must at least start on Python 3.7, to say that a newer one is
needed. It reads; it changes and leaves nothing.
"""
