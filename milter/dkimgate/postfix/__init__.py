"""What Postfix on this host does with a message before and after the gate."""
