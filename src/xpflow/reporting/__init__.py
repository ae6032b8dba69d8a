"""Tables and figures of a study, made from its result files only; nothing here runs a model."""
