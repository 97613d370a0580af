"""A whole country under one seed in one process: homes, embassies, citizens, thieves, and faults.

Everything that keeps a promise is the code that runs: scribe, batch writer, log, couriers' steps,
mirrors, settlement, rebuild. What is made up is what breaks: disks, lines, clocks, processes, and
people who lie. Nothing here starts a process or a thread, opens a socket or writes a file.
"""
