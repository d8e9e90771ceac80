"""Session, user and screen of the work at hand, put on spans and log records as they begin."""
