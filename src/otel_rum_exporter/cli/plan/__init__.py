"""What a load of sessions needs: a pure model, the profile of its sessions from figures or a file, and bars."""
