"""The needs of a load of sessions: a pure model, the profile of its sessions from figures or a file, and bars."""
