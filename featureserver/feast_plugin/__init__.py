"""Feast's online store interface over our rows: values, views and schemas, and the store itself."""
