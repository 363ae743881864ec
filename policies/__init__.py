"""What no program may do, ours or anyone's: the policy pack of the real engine."""
