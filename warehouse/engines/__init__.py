"""Engines that answer questions about the warehouse, all behind `port.Engine`."""
