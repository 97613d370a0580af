"""Standby: a site that follows the embassies, replays all the time, and says what is not right."""
