"""SIMULATOR: the parts of the virtual PLC; start it with `python -m hardware.virtual_plc`.

conveyor    belt, gate and light eyes: physics only
program     what the PLC does in a scan: handshake, tracking, packml
simulator   counters that judge the cell, faults on command, the panel to press them
cell        all of it behind a Modbus TCP server
"""
