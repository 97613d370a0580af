"""Lotteries of school enrolment: embassies' secrets asked for, told, opened, and checked."""
