"""Text logs in, batches of flat JSON events with Sigma's field names out; one file a source."""
