"""The `batch_sync` meta of models, validated."""
