"""The examination of duplicate detection, through `fieldhouse check` itself."""
